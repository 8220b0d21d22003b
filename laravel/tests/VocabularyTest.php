<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Changes\Binary;
use Illuminate\Contracts\Console\Kernel;

/**
 * Who knows the commands of `flagstone` knows those of artisan: the same commands change flags, with the same options.
 */
final class VocabularyTest extends TestCase
{
    /** Commands that artisan has under another name, or not; and why. */
    private const OTHER_NAMES = [
        'init' => 'feature:install says how; a store is made once, by whoever runs the machine',
        'add' => 'feature:make, which writes the case of an enum as well',
        'config' => 'of the store, not of an application',
        'run' => 'a daemon; Laravel\'s scheduler runs feature:tick',
        'guard' => 'a daemon, which run starts as well; its state is in feature:health, and whoever runs the machine pauses it',
        'note' => 'of the machine: whoever deploys types it beside feature:publish',
        'promote' => 'between stores, by whoever runs the machine',
        'export' => 'the same',
        'key' => 'the same',
        'migrate' => 'the same, once, of a store that an earlier release made',
    ];

    /** Commands that are something else in artisan. */
    private const NAMESAKES = [
        'import' => 'takes an export of another store; feature:import reads what other systems of flags left',
        'notify' => 'tells webhooks; feature:notify tells the application\'s listeners',
    ];

    /** Options that only the command has. */
    private const COMMAND_ONLY = [
        'store' => 'config/flagstone.php names the store',
        'file' => 'where flags.json answers, artisan changes flags.local.json by the same commands',
        'environment' => 'artisan takes what begins with --env for its own --env',
    ];

    /** Options that only artisan has. */
    private const ARTISAN_ONLY = [
        'enable --force' => 'Laravel\'s name for --yes',
        'disable --force' => 'the same',
        'rollout --force' => 'the same',
        'allow --force' => 'the same',
        'deny --force' => 'the same',
        'forget --force' => 'the same',
        'delete --force' => 'the same',
        'rollback --force' => 'the same',
        'stop-all --force' => 'the same',
        'plan --force' => 'the same',
    ];

    public function test_the_same_commands_change_flags_with_the_same_options(): void
    {
        $commands = $this->app->make(Kernel::class)->all();
        $names = $this->names();
        self::assertGreaterThan(12, \count($names));
        foreach (\array_diff($names, \array_keys(self::NAMESAKES)) as $name) {
            if (isset(self::OTHER_NAMES[$name])) {
                self::assertArrayNotHasKey("feature:$name", $commands, "OTHER_NAMES has $name, and artisan has it by now");
                continue;
            }
            self::assertArrayHasKey("feature:$name", $commands, "artisan lacks `$name`; add it, or say why in OTHER_NAMES");
            $artisan = \array_keys($commands["feature:$name"]->getNativeDefinition()->getOptions());
            $artisan = \array_filter($artisan, static fn (string $option): bool => !isset(self::ARTISAN_ONLY["$name --$option"]));
            $command = \array_filter($this->optionsOf($name), static fn (string $option): bool => !isset(self::COMMAND_ONLY[$option]));
            \sort($artisan);
            \sort($command);
            self::assertSame($command, $artisan, "options of flagstone $name and of feature:$name");
        }
        foreach (\array_keys(self::ARTISAN_ONLY) as $only) {
            [$name, $option] = \explode(' --', $only);
            self::assertContains($name, $names, "ARTISAN_ONLY has $only, and no such command changes anything");
            self::assertTrue($commands["feature:$name"]->getNativeDefinition()->hasOption($option), "ARTISAN_ONLY has $only, and artisan lacks it");
            self::assertNotContains($option, $this->optionsOf($name), "ARTISAN_ONLY has $only, and the command has it by now");
        }
    }

    public function test_the_umbrella_takes_every_option_of_the_commands(): void
    {
        $commands = $this->app->make(Kernel::class)->all();
        $umbrella = \array_keys($commands['feature']->getNativeDefinition()->getOptions());
        foreach (\array_diff($this->names(), \array_keys(self::NAMESAKES)) as $name) {
            if (!isset(self::OTHER_NAMES[$name]) && !\in_array($name, ['publish', 'plan'], true)) {
                $options = \array_keys($commands["feature:$name"]->getNativeDefinition()->getOptions());
                self::assertSame([], \array_values(\array_diff($options, $umbrella)), $name);
            }
        }
    }

    /** @return list<string> the commands that change a store */
    private function names(): array
    {
        \preg_match('/^Change:\n((?:  \S.*\n)+)/m', $this->help(), $section);
        \preg_match_all('/^  (\S+)/m', $section[1] ?? '', $names);

        return $names[1];
    }

    /** @return list<string> */
    private function optionsOf(string $name): array
    {
        // What is said of a plan has subcommands of its own. `tick` is feature:tick.
        $plan = ['start', 'hold', 'resume', 'advance', 'abort', 'show'];
        $helps = $name === 'plan' ? \array_map(fn (string $of): string => $this->help($name, $of), $plan) : [$this->help($name)];
        \preg_match_all('/^ +(?:-\w, )?--([a-z][a-z-]*)/m', \implode('', $helps), $options);

        return \array_values(\array_unique(\array_diff($options[1], ['help'])));
    }

    private function help(string ...$names): string
    {
        $result = (new Binary((string) \getenv('FLAGSTONE_BIN')))->run([...\array_values($names), '--help']);
        self::assertSame(0, $result->code, $result->error);

        return "$result->text\n";
    }
}
