<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Changes\Binary;
use Illuminate\Contracts\Console\Kernel;
use ReflectionClass;
use Symfony\Component\Console\Command\Command;

/**
 * Who knows the commands of `flagstone` knows those of artisan: a name means the same in both, with the same arguments and options.
 */
final class VocabularyTest extends TestCase
{
    /** Commands that artisan lacks, or has under another name; and why. */
    private const COMMAND_ONLY = [
        'add' => 'feature:make, which writes the case of an enum as well',
        'ask' => 'feature:explain, in the application that asks',
        'audit' => 'of the machine: its trail is verified where it lies',
        'check' => 'of a file, before it is committed; feature:publish --dry-run checks the application\'s',
        'completions' => 'of the machine\'s shells',
        'config' => 'of the store, not of an application',
        'diff' => 'of the machine, beside its generations',
        'experiment' => 'of the machine, beside its counters',
        'export' => 'between machines, by whoever runs them',
        'guard' => 'a daemon, which run starts as well; its state is in feature:health, and whoever runs the machine pauses it',
        'help' => 'artisan help',
        'import' => 'between machines, by whoever runs them',
        'init' => 'feature:install says how; a store is made once, by whoever runs the machine',
        'inspect' => 'of the machine, beside its generations',
        'key' => 'between machines, by whoever runs them',
        'man' => 'of the machine',
        'metrics' => 'a route of the package',
        'migrate' => 'once, of a store that an earlier release made',
        'note' => 'of the machine: whoever deploys types it beside feature:publish',
        'notify' => 'the store\'s webhooks; an application\'s own receivers are told by feature:announce',
        'probe' => 'of a site, from outside',
        'promote' => 'between stores, by whoever runs the machine',
        'run' => 'a daemon; Laravel\'s scheduler runs feature:tick',
        'scan' => 'feature:routes, which knows the routes; feature:doctor scans as well',
        'simulate' => 'of a list of companies, beside the store',
        'status' => 'feature:health and feature:list',
    ];

    /** Commands that only artisan has. */
    private const ARTISAN_ONLY = [
        'announce' => 'tells the application\'s listeners, mail and Slack',
        'convert' => 'reads what other systems of flags left',
        'install' => 'of the package',
        'make' => 'writes the case of an enum as well',
        'reset' => 'takes values out of flags.local.json',
        'routes' => 'of the application',
        'settings' => 'of the package',
        'tick' => 'flagstone plan tick',
    ];

    /** Arguments and options of the command that artisan lacks: of all commands, or of one. */
    private const COMMAND_ARGUMENTS = [
        '--store V' => 'config/flagstone.php names the store',
        '--file V' => 'where flags.json answers, artisan changes flags.local.json by the same commands',
        '--environment V' => 'artisan takes what begins with --env for its own --env',
        '--memory V' => 'php.ini names the directory of the counters',
        'stats --watch' => 'draws on a terminal of the machine',
        'explain --at V' => 'the driver answers as of now',
        'explain --context V' => 'a JSON object; artisan takes attributes one by one',
        'history --context V' => 'feature:explain takes attributes, as of now',
        'doctor --code V' => 'the application itself',
        'doctor --fpm-script V' => 'of a pool that cannot read what the command makes',
        'doctor --kill-days V' => 'of the machine',
        'doctor --min-score V' => 'of the machine',
        'doctor --php V' => 'the PHP that runs artisan',
        'publish file required' => 'config/flagstone.php names the file',
        'plan flag required' => 'of all but show; artisan has one signature for all',
    ];

    /** Arguments and options of artisan that the command lacks, likewise. */
    private const ARTISAN_ARGUMENTS = [
        '--force' => 'Laravel\'s name for --yes',
        'list --company V' => 'the driver is asked, which the command is for one flag: flagstone ask',
        'list --literal' => 'the same',
        'explain --context V list' => 'one by one, plan=pro',
        'explain --short' => 'in one sentence',
        'publish file' => 'without it, the file that config/flagstone.php names',
        'plan subcommand required' => 'flagstone has a command for each',
    ];

    /** @var list<string> differences that were found */
    private array $explained = [];

    public function test_a_name_means_the_same_with_the_same_arguments_and_options(): void
    {
        $artisan = $this->artisanCommands();
        $names = $this->names();
        self::assertGreaterThan(40, \count($names));
        self::assertSame([], \array_diff(\array_keys($artisan), $names, \array_keys(self::ARTISAN_ONLY)), 'only artisan has them; say why in ARTISAN_ONLY');
        self::assertSame([], \array_intersect(\array_keys(self::ARTISAN_ONLY), $names), 'the command has them as well');
        self::assertSame([], \array_diff(\array_keys(self::COMMAND_ONLY), $names), 'there is no such command');
        foreach ($names as $name) {
            if (isset(self::COMMAND_ONLY[$name])) {
                self::assertArrayNotHasKey($name, $artisan, "COMMAND_ONLY has $name, and artisan has it by now");
                continue;
            }
            self::assertArrayHasKey($name, $artisan, "artisan lacks `$name`; add it, or say why in COMMAND_ONLY");
            $command = $this->ofCommand($name);
            $arguments = $this->ofArtisan($artisan[$name]);
            self::assertSame([], $this->unexplained($name, \array_diff($command, $arguments), self::COMMAND_ARGUMENTS), "feature:$name lacks them; add them, or say why in COMMAND_ARGUMENTS");
            self::assertSame([], $this->unexplained($name, \array_diff($arguments, $command), self::ARTISAN_ARGUMENTS), "flagstone $name lacks them; add them, or say why in ARTISAN_ARGUMENTS");
        }
        self::assertSame([], \array_diff(\array_keys(self::COMMAND_ARGUMENTS + self::ARTISAN_ARGUMENTS), $this->explained), 'explained, and no difference any more');
    }

    public function test_the_umbrella_takes_every_option_of_the_commands_that_change_a_flag(): void
    {
        $artisan = $this->artisanCommands();
        $umbrella = \array_keys($this->app->make(Kernel::class)->all()['feature']->getNativeDefinition()->getOptions());
        \preg_match('/^Change:\n((?:  \S.*\n)+)/m', $this->help(), $section);
        \preg_match_all('/^  (\S+)/m', $section[1] ?? '', $names);
        self::assertGreaterThan(12, \count($names[1]));
        foreach (\array_diff($names[1], \array_keys(self::COMMAND_ONLY), ['publish', 'plan']) as $name) {
            $options = \array_keys($artisan[$name]->getNativeDefinition()->getOptions());
            self::assertSame([], \array_values(\array_diff($options, $umbrella)), $name);
        }
    }

    /**
     * @param array<int, string> $differences
     * @param array<string, string> $reasons
     * @return list<string>
     */
    private function unexplained(string $name, array $differences, array $reasons): array
    {
        $left = [];
        foreach ($differences as $difference) {
            $reason = isset($reasons["$name $difference"]) ? "$name $difference" : $difference;
            if (!isset($reasons[$reason])) {
                $left[] = $difference;
            }
            $this->explained[] = $reason;
        }

        return $left;
    }

    /** @return array<string, Command> by the name without `feature:` */
    private function artisanCommands(): array
    {
        $found = [];
        foreach ($this->app->make(Kernel::class)->all() as $name => $command) {
            if (\str_starts_with($name, 'feature:')) {
                $found[\substr($name, 8)] = $command;
            }
        }

        return $found;
    }

    /** @return list<string> arguments and options with their arity, such as `--reason V required` */
    private function ofArtisan(Command $command): array
    {
        $required = (array) (new ReflectionClass($command))->getConstant('REQUIRED');
        $found = [];
        foreach ($command->getNativeDefinition()->getArguments() as $argument) {
            $found[] = $argument->getName() . ($argument->isArray() ? ' list' : '') . ($argument->isRequired() ? ' required' : '');
        }
        foreach ($command->getNativeDefinition()->getOptions() as $option) {
            $found[] = "--{$option->getName()}" . ($option->acceptValue() ? ' V' : '') . ($option->isArray() ? ' list' : '')
                . (\in_array("--{$option->getName()}", $required, true) ? ' required' : '');
        }
        \sort($found);

        return $found;
    }

    /** @return list<string> likewise */
    private function ofCommand(string $name): array
    {
        $found = [];
        // `tick` is feature:tick.
        foreach ($name === 'plan' ? ['start', 'hold', 'resume', 'advance', 'abort', 'show'] : [null] as $subcommand) {
            $help = $this->help($name, ...($subcommand === null ? [] : [$subcommand]));
            \preg_match('/^Usage: (.*)$/m', $help, $usage);
            \preg_match_all('/^  ([<[])([A-Z]+)[>\]](\.\.\.)?  /m', $help, $arguments, PREG_SET_ORDER | PREG_UNMATCHED_AS_NULL);
            foreach ($arguments as [, $bracket, $argument, $list]) {
                $found[] = \strtolower($argument) . ($list === null ? '' : ' list') . ($bracket === '<' ? ' required' : '');
            }
            foreach (\preg_split('/\n(?= +(?:-\w, )?--[a-z])/', $help) as $part) {
                if (\preg_match('/^ +(?:-\w, )?--([a-z-]+)( <|\[=<)?/', $part, $option) === 1 && $option[1] !== 'help') {
                    $found[] = "--$option[1]" . (isset($option[2]) ? ' V' : '')
                        . (\str_contains((string) \preg_replace('/\s+/', ' ', $part), 'may be given again') ? ' list' : '')
                        . (\preg_match("/(?<![|])--$option[1] <[A-Z]+>(?!>)/", $usage[1]) === 1 ? ' required' : '');
                }
            }
        }
        $found = \array_unique($found);
        \sort($found);

        return $found;
    }

    /** @return list<string> */
    private function names(): array
    {
        \preg_match_all('/^  ([a-z][a-z-]+) +\S/m', $this->help(), $names);

        return $names[1];
    }

    private function help(string ...$names): string
    {
        $result = (new Binary((string) \getenv('FLAGSTONE_BIN')))->run([...\array_values($names), '--help']);
        self::assertSame(0, $result->code, $result->error);

        return "$result->text\n";
    }
}
