<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Change;
use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\Result;
use Flagstone\Laravel\Exceptions\BrokenDefinitions;
use Illuminate\Console\Command;
use Illuminate\Console\OutputStyle;
use InvalidArgumentException;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\ConsoleOutputInterface;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * What all commands on flags have in common. Exit codes: 0 yes or done, 1 no or refused, 2 could not tell.
 */
abstract class FlagCommand extends Command
{
    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        try {
            return (int) parent::execute($input, $output);
        } catch (BrokenDefinitions $problem) {
            return $this->finish(Result::unknown($problem->getMessage()));
        }
    }

    /** Prints what came of it, and gives the exit code. */
    protected function finish(Result $result): int
    {
        if ($result->text !== '') {
            $this->output->writeln($result->text, OutputInterface::OUTPUT_RAW);
        }
        // A JSON document says what is wrong itself.
        if ($result->error !== '' && ($result->text === '' || !$this->isJson())) {
            $this->complain($result->error);
        }

        return $result->code;
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

    protected function flag(): string
    {
        return (string) $this->argument('flag');
    }

    protected function text(string $option): ?string
    {
        $value = $this->option($option);

        return \is_string($value) && $value !== '' ? $value : null;
    }

    /** @param list<string> $arguments of the command `flagstone` */
    protected function relay(Changer $changer, array $arguments): int
    {
        return $this->finish($changer->command($arguments, $this->isJson()));
    }

    /**
     * @param array<string, mixed> $more of Change
     */
    protected function change(Changer $changer, string $word, array $more = []): int
    {
        try {
            $change = new Change($word, $this->flag(), ...$more, ...[
                'reason' => $this->text('reason'),
                'dryRun' => (bool) $this->option('dry-run'),
            ]);
        } catch (InvalidArgumentException $error) {
            return $this->refuse($error->getMessage());
        }
        if ($change->isForAll() && !$change->dryRun && $this->asks($changer)) {
            $would = $changer->apply($change->dry(), true);
            if ($would->code !== Result::DONE) {
                return $this->finish($would);
            }
            $data = $would->data();
            $lines = [(string) ($data['summary'] ?? $change->flag), ...(array) ($data['notes'] ?? [])];
            if (!$this->agreed(\implode("\n  ", $lines), 'Turn it on for everybody?')) {
                return Result::REFUSED;
            }
            $change = $change->on(isset($data['base']) ? (int) $data['base'] : null);
        }

        return $this->finish($changer->apply($change, $this->isJson()));
    }

    /** Whether a change that reaches everybody is asked about first: in production, without --force. */
    protected function asks(Changer $changer): bool
    {
        if ($this->option('force') || $changer->isFile()) {
            return false;
        }
        $environment = $changer->environment();

        return $environment === 'production' || $this->laravel->environment('production');
    }

    /** Shows what would change, and asks. Where nobody is there to answer, it is refused. */
    protected function agreed(string $what, string $question): bool
    {
        if ($this->isJson() || !$this->input->isInteractive()) {
            $this->complain("production: $what\n" . 'refused; with --force it is done without asking');

            return false;
        }
        $this->output->writeln($what, OutputInterface::OUTPUT_RAW);

        return $this->confirm($question) || $this->complain('nothing was changed');
    }

    /** On standard error, or as the JSON document. Always false. */
    private function complain(string $error): bool
    {
        if ($this->isJson()) {
            $this->json(['error' => $error]);

            return false;
        }
        $output = $this->output;
        while ($output instanceof OutputStyle) {
            $output = $output->getOutput();
        }
        $output = $output instanceof ConsoleOutputInterface ? $output->getErrorOutput() : $output;
        $output->writeln($error, OutputInterface::OUTPUT_RAW);

        return false;
    }
}
