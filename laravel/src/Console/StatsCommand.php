<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\Result;
use Flagstone\Laravel\Exceptions\UnknownFlag;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Value;
use RuntimeException;

/**
 * Shows `flagstone stats`: counts of all workers of this machine. Without the command, or if flags.json answers, the number of
 * questions in this process, and the companies that the flag's definition lets in.
 */
final class StatsCommand extends FlagCommand
{
    protected $signature = 'feature:stats
        {flag? : The flag\'s key}
        {--hours= : So many of the last 24 hours}
        {--json : Print JSON}';

    protected $description = 'Show what all workers of this machine were asked, and what came of it';

    public function handle(Flagstone $flagstone, Changer $changer): int
    {
        $flag = $this->word('flag');
        if ($changer->hasCommand()) {
            return $this->relay($changer, ['stats', ...$this->typedOptions('hours'), ...($flag === null ? [] : ['--', $flag])]);
        }
        try {
            $shares = $flag === null ? [] : $this->shares($flag, $flagstone, $changer);
        } catch (UnknownFlag | RuntimeException $error) {
            return $this->finish(Result::unknown($error->getMessage()));
        }
        $status = $flagstone->driver()->status();
        $counters = $status['counters'];
        if ($this->isJson()) {
            $this->json([
                'environment' => $status['environment'], 'generation' => $status['generation'],
                'process' => $counters, 'flag' => $flag, 'shares' => $shares === [] ? null : $shares,
            ]);

            return 0;
        }
        foreach ($shares as $name => $value) {
            $this->line(\sprintf('  %-12s %s', $name, \is_bool($value) ? ($value ? 'yes' : 'no') : $value));
        }
        $this->line(\sprintf(
            'This process: %d answers on, %d off. Other processes count for themselves.',
            $counters['on'],
            $counters['off'],
        ));

        return 0;
    }

    /** @return array<string, bool|int|float> */
    private function shares(string $flag, Flagstone $flagstone, Changer $changer): array
    {
        $driver = $flagstone->driver();
        if (!\in_array($flag, $driver->names(), true)) {
            throw UnknownFlag::named($flag, $driver->names());
        }
        $shares = ['possible' => $driver->possible($flag)];
        if ($changer->isFile()) {
            $definition = \json_decode((string) \json_encode($changer->flags()[$flag] ?? []), true);
        } else {
            return $shares;
        }
        $definition = \is_array($definition) ? $definition : ['enabled' => $definition];

        return $shares + [
            'enabled' => Value::bool($definition, 'enabled') ?? true,
            'percentage' => Value::number($definition, 'rollout', 'percentage') ?? 100,
            'allowed' => \count(Value::items($definition, 'companies', 'allow')),
            'denied' => \count(Value::items($definition, 'companies', 'deny')),
            'rules' => \count(Value::items($definition, 'rules')),
        ];
    }
}
