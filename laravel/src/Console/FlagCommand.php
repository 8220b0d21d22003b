<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Closure;
use Flagstone\Laravel\Changes\Change;
use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\Result;
use Flagstone\Laravel\Config;
use Flagstone\Laravel\Exceptions\BrokenDefinitions;
use Flagstone\Laravel\Exceptions\InvalidSetting;
use Flagstone\Laravel\Value;
use Illuminate\Console\Command;
use Illuminate\Console\OutputStyle;
use InvalidArgumentException;
use Symfony\Component\Console\Exception\MissingInputException;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\ConsoleOutputInterface;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * Common parts of all commands on flags. Exit codes: 0 yes or done, 1 no or refused, 2 could not tell, 3 done here but not on
 * every machine.
 */
abstract class FlagCommand extends Command
{
    /** Options of every edit of a flag. */
    protected const EDIT = '
        {--reason= : Why, for the audit trail}
        {--expect-generation= : Refuse unless this generation is still the current one}
        {--dry-run : Show what would change, and change nothing}
        {--json : Print JSON}';
    /** Options of every change: its author, and the machines that it reaches. */
    protected const BY = '
        {--actor= : Who makes the change; without it FLAGSTONE_ACTOR, SUDO_USER or whoever signed in}
        {--local-only : On this machine only, not on those that the store\'s config declares}';
    /** Option of every change: the companies that it reaches. */
    protected const REACH = '
        {--count-for= : Count which companies of this file it turns on and off, and change nothing for them alone; without it, those of config/flagstone.php}';
    /** Option of commands that take many companies. */
    protected const FROM_FILE = '
        {--from-file= : The companies of this file too: one id a line, a column of a table, or a JSON array}';
    /** Options of commands that ask for confirmation. */
    protected const YES = '
        {--yes : Do not ask}
        {--force : The same}';
    /** @var list<string> options that cannot be left out */
    protected const REQUIRED = [];

    private const COMMON = ['actor', 'count-for', 'from-file', 'local-only', 'yes'];

    /** Option of commands that take companies' ids. */
    protected const LITERAL = '
        {--literal : Take a company\'s id as it is typed, though it looks like a list or an option}';

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $problem = (new InputCheck($this->getDefinition(), $input, static::REQUIRED))->problem();
        if ($problem !== null) {
            return $this->misunderstood($problem);
        }
        try {
            return (int) parent::execute($input, $output);
        } catch (BrokenDefinitions | InvalidSetting $problem) {
            return $this->finish(Result::unknown($problem->getMessage()));
        }
    }

    /** Refuses mistyped input before anything is done. */
    protected function misunderstood(string $problem): int
    {
        return $this->refuse($problem);
    }

    /** Prints the result, and returns its exit code. */
    protected function finish(Result $result): int
    {
        if ($result->text !== '') {
            $text = $this->isJson() ? $result->text : $this->withArtisanCommands($result->text);
            $this->output->writeln($text, OutputInterface::OUTPUT_RAW);
        }
        // A JSON document contains the error itself.
        if ($result->error !== '' && ($result->text === '' || !$this->isJson())) {
            $this->complain($this->withArtisanCommands($result->error));
        }

        return $result->code;
    }

    /** Replaces commands of `flagstone` in hints by those of artisan, which have the application's store. */
    private function withArtisanCommands(string $text): string
    {
        $command = /** @param array<array-key, string> $found */ fn (array $found): string
            => $this->getApplication()?->has("feature:{$found[1]}") === true ? "php artisan feature:{$found[1]}" : $found[0];

        return (string) \preg_replace_callback('/(?<=`|: |, or )flagstone (?:--store(?:=| )(?:\'[^\']*\'|[^\s\']+)+ )?([a-z-]+)/', $command, $text);
    }

    /** Warns that another store answers than the one that this application names, where the command `flagstone` is not asked. */
    protected function warnOfStore(Changer $changer): void
    {
        $warning = $this->isJson() ? null : $changer->storeWarning();
        if ($warning !== null) {
            $this->complain($warning);
        }
    }

    protected function refuse(string $why): int
    {
        return $this->finish(Result::refused($why));
    }

    protected function isJson(): bool
    {
        return $this->hasOption('json') && (bool) $this->option('json');
    }

    /** @param array<string, mixed>|list<mixed> $data */
    protected function json(array $data): void
    {
        $flags = \JSON_UNESCAPED_SLASHES | \JSON_UNESCAPED_UNICODE | \JSON_PRESERVE_ZERO_FRACTION
            | \JSON_INVALID_UTF8_SUBSTITUTE;
        $this->output->writeln((string) \json_encode($data, $flags), OutputInterface::OUTPUT_RAW);
    }

    /** Prints a line with foreign text: nothing in it colors the terminal or moves its cursor. */
    protected function raw(string $line): void
    {
        $this->output->writeln((string) \preg_replace('/[\x00-\x1f\x7f]|\xc2[\x80-\x9f]/', '?', $line), OutputInterface::OUTPUT_RAW);
    }

    protected function flag(): string
    {
        return $this->word('flag') ?? '';
    }

    /** Asks for a line of input; null if the session is not interactive. */
    protected function typed(string $question): ?string
    {
        try {
            return $this->input->isInteractive() ? self::said($this->ask($question)) : null;
        } catch (MissingInputException) {
            return null;
        }
    }

    /**
     * Returns false, too, if the session is not interactive.
     *
     * @param string $question
     * @param bool $default
     */
    public function confirm($question, $default = false): bool
    {
        try {
            return (bool) parent::confirm($question, $default);
        } catch (MissingInputException) {
            return false;
        }
    }

    /** Returns an argument; null if it was not given. */
    protected function word(string $argument): ?string
    {
        return self::said($this->argument($argument));
    }

    /** @return list<string> the values of an option, or an argument, that may be repeated */
    protected function listed(mixed $given): array
    {
        return \is_array($given) ? \array_values(\array_filter(\array_map(self::said(...), $given), is_string(...))) : [];
    }

    protected function config(): Config
    {
        return Config::of($this->laravel);
    }

    protected function text(string $option): ?string
    {
        $value = self::said($this->option($option));

        return $value === '' ? null : $value;
    }

    /** Artisan::call() may pass a number. */
    private static function said(mixed $value): ?string
    {
        return \is_string($value) || \is_int($value) || \is_float($value) ? (string) $value : null;
    }

    /** @param list<string> $arguments of the command `flagstone` */
    protected function relay(Changer $changer, array $arguments): int
    {
        $command = (string) \array_shift($arguments);
        $arguments = [...$this->common(), ...$arguments];
        $run = /** @param list<string> $more */ function (array $more, bool $json) use ($changer, $command, $arguments): Result {
            return $changer->command([$command, ...$more, ...$arguments], $json);
        };

        return $this->finish($this->asking($run));
    }

    /** @return list<string> those of these options that were typed, in the form of the command `flagstone` */
    protected function typedOptions(string ...$names): array
    {
        $options = [];
        foreach ($names as $name) {
            foreach ((array) ($this->hasOption($name) ? $this->option($name) : []) as $value) {
                $text = self::said($value) ?? '';
                if ($value === true || $text !== '') {
                    $options[] = $value === true ? "--$name" : "--$name=$text";
                }
            }
        }

        return $options;
    }

    /** @return list<string> the options that all changes share, in the form of the command `flagstone` */
    protected function common(): array
    {
        $options = $this->typedOptions(...self::COMMON);
        // The command reads the ids of the file literally, too.
        if (\preg_grep('/^--from-file=/', $options) !== [] && $this->option('literal')) {
            $options[] = '--literal';
        }

        return $this->isSure() && !\in_array('--yes', $options, true) ? [...$options, '--yes'] : $options;
    }

    /** True if confirmations are waived: --yes, or Laravel's --force. */
    protected function isSure(): bool
    {
        return $this->hasOption('yes') && ($this->option('yes') || ($this->hasOption('force') && $this->option('force')));
    }

    /**
     * Runs a change. If it is refused because it turns off for many, and the session is interactive, it asks and runs it again.
     *
     * @param Closure(list<string>, bool): Result $run with these additional options; true for JSON
     */
    private function asking(Closure $run): Result
    {
        $result = $run([], $this->isJson());
        $asks = $this->hasOption('dry-run') && !$this->option('dry-run') && $this->hasOption('yes') && !$this->isSure();
        if ($result->code !== Result::REFUSED || !$asks || $this->isJson() || !$this->input->isInteractive()) {
            return $result;
        }
        $would = $run(['--dry-run'], true)->data();
        if (!$result->asks && Value::bool($would, 'reach', 'asks') !== true) {
            return $result;
        }
        $this->output->writeln($this->withArtisanCommands($result->text), OutputInterface::OUTPUT_RAW);
        $this->output->writeln($this->withArtisanCommands($result->error), OutputInterface::OUTPUT_RAW);
        if (!$this->confirm('Go on?')) {
            return Result::refused('nothing was changed');
        }
        $base = Value::int($would, 'base');
        $base = $base === null ? [] : ["--expect-generation=$base"];

        return $run(['--yes', ...$base], false);
    }

    /**
     * @param array<string, mixed> $more of Change
     */
    protected function change(Changer $changer, string $command, array $more = []): int
    {
        $base = $this->text('expect-generation');
        if ($base !== null && !\ctype_digit($base)) {
            return $this->refuse("--expect-generation is \"$base\", expected a generation's number");
        }
        try {
            $change = new Change($command, $this->flag(), ...$more, ...[
                'reason' => $this->text('reason'),
                'dryRun' => (bool) $this->option('dry-run'),
                'base' => $base === null ? null : (int) $base,
                'options' => $this->common(),
            ]);
        } catch (InvalidArgumentException $error) {
            return $this->refuse($error->getMessage());
        }
        if ($change->isForAll() && !$change->dryRun && $this->asks($changer)) {
            $would = $changer->apply($change->dry(), true);
            if ($would->code !== Result::DONE) {
                return $this->finish($this->isJson() ? $would : $changer->apply($change->dry(), false));
            }
            $data = $would->data();
            $summary = Value::text($data, 'summary') ?? $change->flag;
            $lines = [$summary, ...Value::texts($data, 'notes')];
            $all = $change->percentage !== null || \preg_match('/→ on\b/u', $summary) === 1;
            if ($all && !$this->agreed(\implode("\n  ", $lines), 'Turn it on for everybody?')) {
                return Result::REFUSED;
            }
            $change = $change->on(Value::int($data, 'base'));
        }
        $run = /** @param list<string> $more */ static function (array $more, bool $json) use ($changer, $change): Result {
            return $changer->apply(match (true) {
                \in_array('--dry-run', $more, true) => $change->dry(),
                \in_array('--yes', $more, true) => self::sure($change, $more),
                default => $change,
            }, $json);
        };

        return $this->finish($this->asking($run));
    }

    /** Runs a change of companies that were typed, or that a file lists. */
    protected function changeListed(Changer $changer, string $command): int
    {
        $companies = $this->listed($this->argument('company'));
        $file = $this->text('from-file');
        if ($companies === [] && $file === null) {
            return $this->refuse("feature:$command needs the company: The companies, or --from-file=LIST");
        }
        if ($file !== null && $changer->isFile()) {
            return $this->refuse('--from-file is for a published store; here flags.json itself answers (the driver is "file"): write the ids in it');
        }

        return $this->change($changer, $command, ['companies' => $companies]);
    }

    /** @param list<string> $more */
    private static function sure(Change $change, array $more): Change
    {
        $base = \preg_grep('/^--expect-generation=/', $more) ?: [];

        return $change->sure()->on($base === [] ? $change->base : (int) \substr(\end($base), \strlen('--expect-generation=')));
    }

    /** True if a change that reaches all companies needs a confirmation: in production, without --yes. */
    protected function asks(Changer $changer): bool
    {
        if ($this->isSure() || $changer->isFile()) {
            return false;
        }
        $environment = $changer->environment();

        return $environment === 'production' || $this->laravel->environment('production');
    }

    /** Shows the change, and asks. It is refused if the session is not interactive. */
    protected function agreed(string $what, string $question): bool
    {
        $what = $this->withArtisanCommands($what);
        if ($this->isJson() || !$this->input->isInteractive()) {
            $this->complain("production: $what\n" . 'refused; with --yes it is done without asking');

            return false;
        }
        $this->output->writeln($what, OutputInterface::OUTPUT_RAW);

        return $this->confirm($question) || $this->complain('nothing was changed');
    }

    /** Prints to standard error, or as the JSON document. Always false. */
    private function complain(string $error): bool
    {
        if ($this->isJson()) {
            $this->json(['error' => $error]);

            return false;
        }
        self::errors($this->output)->writeln($error, OutputInterface::OUTPUT_RAW);

        return false;
    }

    /** Output for errors. */
    protected static function errors(OutputInterface $output): OutputInterface
    {
        while ($output instanceof OutputStyle) {
            $output = $output->getOutput();
        }

        return $output instanceof ConsoleOutputInterface ? $output->getErrorOutput() : $output;
    }
}
