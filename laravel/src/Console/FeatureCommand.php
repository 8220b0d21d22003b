<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Symfony\Component\Console\Command\Command as SymfonyCommand;

/**
 * One command for all: `feature enable KEY --percentage=50` is `feature:enable KEY --percentage=50`.
 */
final class FeatureCommand extends FlagCommand
{
    protected $signature = 'feature
        {action=list : list, show, enable, disable, rollout, stats, health, emergency-disable, … as feature:ACTION}
        {flag? : The flag\'s key}
        {value? : The percentage of rollout; the company of allow, deny and forget}
        {--percentage= : For so many, 0 to 100}
        {--company=* : For this company}
        {--from-file= : Of allow, deny and forget}
        {--reason= : Why, for the audit trail}
        {--limit= : Of history}
        {--hours= : Of stats}
        {--to= : Of rollback}
        {--dry-run : Show what would change, and change nothing}
        {--expect-generation= : Refuse unless this generation is still the current one}
        {--json : Print JSON}' . self::LITERAL . self::BY . self::REACH . self::YES;

    private const OPTIONS = [
        'percentage', 'company', 'reason', 'limit', 'hours', 'to', 'expect-generation', 'dry-run', 'actor', 'local-only', 'count-for', 'from-file', 'yes',
        'force', 'json', 'literal',
    ];

    protected $description = 'Ask and change feature flags: feature enable KEY --percentage=50';

    public function handle(): int
    {
        $action = $this->word('action') ?? '';
        if ($action === 'emergency-disable') {
            $action = $this->argument('flag') === null ? 'stop-all' : 'kill';
        }
        $application = $this->getApplication();
        if ($application === null || !$application->has("feature:$action")) {
            return $this->refuse("There is no feature:$action; `php artisan list feature` shows what there is");
        }
        $command = $application->find("feature:$action");
        $arguments = $this->argumentsOf($command);
        $options = $this->optionsOf($command);
        if (\is_string($arguments) || \is_string($options)) {
            return $this->refuse(\is_string($arguments) ? $arguments : $options);
        }

        return $this->call("feature:$action", $arguments + $options);
    }

    /** @return array<string, mixed>|string the arguments for the command, or the one that it does not take */
    private function argumentsOf(SymfonyCommand $command): array|string
    {
        $definition = $command->getDefinition();
        $arguments = [];
        foreach (['flag' => 'flag', 'value' => 'percentage'] as $typed => $name) {
            $value = $this->word($typed);
            if ($value === null) {
                continue;
            }
            $name = $typed === 'value' && $definition->hasArgument('company') ? 'company' : $name;
            if (!$definition->hasArgument($name)) {
                return "{$command->getName()} takes no \"$value\"";
            }
            $arguments[$name] = $definition->getArgument($name)->isArray() ? [$value] : $value;
        }
        foreach ($definition->getArguments() as $argument) {
            $name = $argument->getName();
            if ($argument->isRequired() && $name !== 'command' && !isset($arguments[$name])) {
                return "{$command->getName()} needs the $name: {$argument->getDescription()}";
            }
        }

        return $arguments;
    }

    /** @return array<string, mixed>|string */
    private function optionsOf(SymfonyCommand $command): array|string
    {
        $definition = $command->getDefinition();
        $options = [];
        foreach (self::OPTIONS as $name) {
            $value = $this->option($name);
            if ($value === null || $value === false || $value === []) {
                continue;
            }
            if (!$definition->hasOption($name)) {
                return "{$command->getName()} takes no --$name";
            }
            $array = $definition->getOption($name)->isArray();
            $options["--$name"] = \is_array($value) && !$array ? \end($value) : $value;
        }
        if (!$this->input->isInteractive()) {
            $options['--no-interaction'] = true;
        }

        return $options;
    }
}
