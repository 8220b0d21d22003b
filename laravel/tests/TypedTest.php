<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Changes\CompanyText;
use Flagstone\Laravel\Console\FlagCommand;
use Flagstone\Laravel\Tests\Support\Artisan;
use Flagstone\Laravel\Tests\Support\Company;
use Flagstone\Laravel\Tests\Support\User;
use Illuminate\Contracts\Console\Kernel;
use Illuminate\Foundation\Application;
use Illuminate\Support\Str;

/**
 * A value that was forgotten, empty, or not one value never widens a change.
 */
final class TypedTest extends TestCase
{
    use Artisan;

    private const ARGUMENTS = [
        'flag' => 'portal', 'company' => ['15'], 'percentage' => '10', 'subcommand' => 'show', 'source' => 'env', 'action' => 'list', 'value' => '5', 'file' => 'none.json',
    ];

    private string $store = '';

    protected function configure(Application $app): void
    {
        $this->store = $this->ownStore($app, [
            'portal' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15, 42]]], 'fresh' => ['enabled' => true, 'rollout' => ['percentage' => 5]],
            'dark' => false,
        ]);
    }

    public function test_no_command_takes_a_value_that_was_hardly_meant(): void
    {
        $before = $this->state();
        $tried = 0;
        foreach ($this->app->make(Kernel::class)->all() as $name => $command) {
            if (!$command instanceof FlagCommand) {
                continue;
            }
            $required = [];
            foreach ($command->getDefinition()->getArguments() as $argument) {
                if ($argument->isRequired() && isset(self::ARGUMENTS[$argument->getName()])) {
                    $required[$argument->getName()] = self::ARGUMENTS[$argument->getName()];
                }
            }
            $wrong = ['empty' => '', 'blank' => ' ', 'tab' => "\t", 'next option' => '--yes'];
            $lists = ['15,42', '15;42', '15 42', '[15,42]', "'15'", '"15"', '15|42', "15\n42", '{15}', '(15)', '15.0', '1.5E+3', '+15', "15\u{200b}", "\u{202a}15\u{202c}", "1\u{ad}5", "\u{ff11}\u{ff15}", '103.', '15:', '15%', '$42', 'None', 'false', '2026-11-21', "\u{2212}15", '<b>15</b>', 'Total: 1'];
            foreach ($command->getDefinition()->getOptions() as $option) {
                if (!$option->acceptValue()) {
                    continue;
                }
                $typed = "--{$option->getName()}";
                foreach ($wrong + ($option->getName() === 'company' ? $lists : []) as $kind => $value) {
                    $this->assertRefused($name, $required + [$typed => $option->isArray() ? [$value] : $value, '--yes' => null], $typed, (string) $kind);
                    $tried++;
                }
                $words = \implode(' ', \array_map(static fn (mixed $word): string => \implode(' ', (array) $word), $required));
                foreach (["$name $words $typed --json", "$name $words $typed=", "$name $words --json $typed"] as $line) {
                    $this->assertRefused($line, [], $typed, 'missing');
                    $tried++;
                }
            }
            foreach ($command->getDefinition()->getArguments() as $argument) {
                $typed = $argument->getName();
                if (!isset(self::ARGUMENTS[$typed])) {
                    continue;
                }
                foreach ($typed === 'company' ? $wrong + $lists : \array_slice($wrong, 0, 3) as $kind => $value) {
                    $this->assertRefused($name, [$typed => $argument->isArray() ? ['15', $value] : $value] + $required, "the $typed", (string) $kind);
                    $tried++;
                }
            }
        }
        self::assertGreaterThan(500, $tried);
        self::assertSame($before, $this->state(), 'nothing was changed');
    }

    public function test_no_command_passes_over_a_value_of_another_type(): void
    {
        // Artisan::call('feature:enable', ['flag' => 'portal', '--company' => 33]) was on for everybody, as if no company were given.
        $before = $this->state();
        $stranger = new class () {
        };
        $wrong = [
            'true' => true, 'false' => false, 'nested' => [[15]], 'empty list' => [], 'nothing in a list' => [null], 'collection' => \collect([15, 42]),
            'object' => $stranger, 'model that is not saved' => new Company(), 'true in a list' => [true], 'no number' => \NAN,
        ];
        $tried = 0;
        foreach ($this->app->make(Kernel::class)->all() as $name => $command) {
            if (!$command instanceof FlagCommand) {
                continue;
            }
            $definition = $command->getDefinition();
            $required = ['--no-interaction' => true];
            foreach ($definition->getArguments() as $argument) {
                if ($argument->isRequired() && isset(self::ARGUMENTS[$argument->getName()])) {
                    $required[$argument->getName()] = self::ARGUMENTS[$argument->getName()];
                }
            }
            foreach ($definition->getOptions() as $option) {
                $typed = "--{$option->getName()}";
                $values = $option->acceptValue() ? $wrong + ($option->isArray() ? [] : ['a list' => ['15']]) : ['a word' => 'false', 'a list' => [true], 'object' => $stranger, 'number' => 2];
                foreach ($option->getName() === 'verbose' ? [] : $values as $kind => $value) {
                    $this->assertNotPassedOver($name, [$typed => $value] + $required, $typed, $kind);
                    $tried++;
                }
            }
            foreach (\array_intersect_key($definition->getArguments(), self::ARGUMENTS) as $typed => $argument) {
                foreach ($wrong + ($argument->getDefault() === null ? ['nothing' => null] : []) + ($argument->isArray() ? [] : ['a list' => ['15']]) as $kind => $value) {
                    $this->assertNotPassedOver($name, [$typed => $value] + $required, "the $typed", $kind);
                    $tried++;
                }
            }
        }
        self::assertGreaterThan(1000, $tried);
        self::assertSame($before, $this->state(), 'nothing was changed');
    }

    /** @return iterable<string, array{mixed, int|string}> */
    public static function companies(): iterable
    {
        yield 'int' => [33, 33];
        yield 'text' => ['33', 33];
        yield 'whole float' => [33.0, 33];
        yield 'list' => [[33], 33];
        yield 'named list' => [['Acme' => 33], 33];
        yield 'model' => [new Company(['id' => 33]), 33];
        yield 'models' => [[new Company(['id' => 33])], 33];
        yield 'its user' => [new User(['id' => 7, 'company_id' => 33]), 33];
        yield 'Stringable' => [Str::of('acme'), 'acme'];
        yield 'negative' => [-5, -5];
    }

    /** @dataProvider companies */
    #[\PHPUnit\Framework\Attributes\DataProvider('companies')]
    public function test_code_may_give_a_company_as_it_has_it(mixed $given, int|string $company): void
    {
        $on = fn (int|string $company): bool => $this->app->make('flagstone')->for($company)->enabled('dark');
        foreach ([
            ['feature:enable', ['flag' => 'dark', '--company' => $given], true], ['feature:disable', ['flag' => 'dark', '--company' => $given], false],
            ['feature:allow', ['flag' => 'dark', 'company' => $given], true], ['feature:deny', ['flag' => 'dark', 'company' => $given], false],
            ['feature', ['action' => 'enable', 'flag' => 'dark', '--company' => $given], true], ['feature', ['action' => 'deny', 'flag' => 'dark', 'value' => $given], false],
        ] as [$command, $arguments, $right]) {
            if (\is_array($given) && isset($arguments['value'])) {
                continue;
            }
            self::assertSame(0, $this->artisanCode($command, $arguments), $this->printed);
            self::assertSame([$right, false], [$on($company), $on(16)], "$command: $this->printed");
        }
        self::assertSame(0, $this->artisanCode('feature:explain', ['--short' => true, 'flag' => 'dark', '--company' => \is_array($given) ? \end($given) : $given]));
        self::assertStringContainsString("for company $company", $this->printed);
    }

    public function test_code_may_give_numbers_one_value_of_many_and_switches(): void
    {
        $percentage = fn (): mixed => $this->app->make('flagstone')->for(1)->explain('fresh')['percentage'];
        foreach ([[25, 25], [25.5, 25.5], ['30', 30]] as [$given, $right]) {
            self::assertSame(0, $this->artisanCode('feature:enable', ['flag' => 'fresh', '--percentage' => $given, '--yes' => 1]), $this->printed);
            self::assertEquals($right, $percentage());
            self::assertSame(0, $this->artisanCode('feature:rollout', ['flag' => 'fresh', 'percentage' => $given, '--dry-run' => false]), $this->printed);
        }
        self::assertSame(0, $this->artisanCode('feature:rollout', ['flag' => 'fresh', 'percentage' => 50, '--dry-run' => '1']), $this->printed);
        self::assertEquals(30, $percentage(), 'a trial');
        foreach (['33.5%', '33.5 %'] as $typed) {
            self::assertSame(0, $this->artisanCode('feature:rollout', ['flag' => 'fresh', 'percentage' => $typed]), $this->printed);
            self::assertEquals(33.5, $percentage());
        }
        self::assertSame(1, $this->artisanCode('feature:rollout fresh %'), $this->printed);
        // --reset => 'all' was passed over: the command has it as a list.
        self::assertSame(0, $this->artisanCode('feature:publish', ['file' => "$this->store.json", '--reset' => 'all', '--yes' => true]), $this->printed);
        self::assertEquals(5, $percentage());
    }

    /** @param array<string, mixed> $arguments */
    private function assertNotPassedOver(string $command, array $arguments, string $typed, string $kind): void
    {
        $code = $this->artisanCode($command, $arguments);
        $what = "$command $typed ($kind): $code, $this->printed";
        self::assertContains($code, [1, 2], $what);
        self::assertMatchesRegularExpression('/' . \preg_quote($typed, '/') . ' (is .*, expected|has no value)/', $this->printed, $what);
    }

    /** @return iterable<string, array{string}> */
    public static function lines(): iterable
    {
        foreach ([
            'feature:enable portal --company --yes', 'feature:disable portal --company', 'feature:enable fresh --percentage= --yes', 'feature:enable fresh --percentage --yes',
            'feature:publish --reset', 'feature:publish --release=', 'feature:rollback --to= --yes', 'feature:rollout fresh ""', 'feature enable fresh --percentage= --yes',
            'feature allow portal 15,42', 'feature disable portal --company=', 'feature:enable portal --company=15,42', 'feature:enable portal --company=15 --company=16;17',
        ] as $line) {
            yield $line => [$line];
        }
    }

    /** @dataProvider lines */
    #[\PHPUnit\Framework\Attributes\DataProvider('lines')]
    public function test_what_was_typed_with_an_empty_variable_is_refused(string $line): void
    {
        $before = $this->state();
        self::assertSame(1, $this->artisanCode($line), $this->printed);
        self::assertSame($before, $this->state());
    }

    public function test_an_id_that_looks_like_a_list_or_an_option_can_be_meant(): void
    {
        $has = fn (int|string $company): bool => $this->app->make('flagstone')->for($company)->enabled('portal');
        self::assertSame(0, $this->artisanCode('feature:allow', ['flag' => 'portal', 'company' => ['7,8', "O'Hara & Co", '--yes'], '--literal' => true]), $this->printed);
        self::assertSame([true, true, true, false], [$has('7,8'), $has("O'Hara & Co"), $has('--yes'), $has(7)]);
        self::assertSame(0, $this->artisanCode('feature:explain', ['--short' => true, 'flag' => 'portal', '--company' => '7,8', '--literal' => true]));
        self::assertStringContainsString('ON for company 7,8', $this->printed);
        self::assertSame(0, $this->artisanCode('feature', ['action' => 'deny', 'flag' => 'portal', 'value' => '7,8', '--literal' => true]), $this->printed);
        self::assertFalse($has('7,8'));
        // In a file too, where it is said of the file: a text beside it says nothing of what it lists.
        $list = "$this->store.list";
        \file_put_contents($list, "\"43,44\"\n");
        self::assertSame(2, $this->artisanCode('feature:allow', ['flag' => 'portal', 'company' => ['acme'], '--from-file' => $list]), $this->printed);
        self::assertSame([false, false], [$has('acme'), $has('43,44')]);
        self::assertSame(0, $this->artisanCode('feature:allow', ['flag' => 'portal', 'company' => ['acme'], '--from-file' => $list, '--literal' => true]), $this->printed);
        self::assertSame([true, true, false], [$has('acme'), $has('43,44'), $has(43)]);
        // A negative number is a company.
        self::assertSame(0, $this->artisanCode('feature:enable portal --company=-5'), $this->printed);
        self::assertTrue($has(-5));
        foreach (['acme-eu', '018f3c2e-7a4b-7c1d-9e8f-0123456789ab', 'a.b:c/d@e_f+g#1'] as $id) {
            self::assertSame(0, $this->artisanCode('feature:allow', ['flag' => 'portal', 'company' => [$id]]), $this->printed);
            self::assertTrue($has($id));
        }
    }

    /** Artisan refuses ids where the command is not at hand, and so has a table of its own. */
    public function test_artisan_and_the_command_take_the_same_characters_for_invisible(): void
    {
        $table = (new \ReflectionClassConstant(CompanyText::class, 'INVISIBLE'))->getValue();
        $others = $ends = [];
        $wasInvisible = false;
        foreach ([...\range(0x80, 0xffff), ...\range(0xe0000, 0xe01f0)] as $code) {
            $id = 'a' . \mb_chr($code, 'UTF-8') . 'b';
            $isInvisible = \preg_match($table, $id) === 1;
            if ($isInvisible !== $wasInvisible) {
                $ends[] = $isInvisible ? $id : $last;
            }
            // Other blanks separate ids.
            if (!$isInvisible && \preg_match('/^a\PZb$/u', $id) === 1) {
                $others[] = "$id\n";
            }
            [$wasInvisible, $last] = [$isInvisible, $id];
        }
        [$file, $list] = ["$this->store/../flags.json", "$this->store/../ids"];
        \file_put_contents($file, '{"flags":{"portal":{"rollout":{"percentage":0},"companies":{"allow":[15]}}}}');
        \file_put_contents($list, $others);
        $command = new Binary((string) \getenv('FLAGSTONE_BIN'));
        $deny = ['deny', "--file=$file", '--dry-run'];

        $result = $command->run([...$deny, "--from-file=$list", '--', 'portal']);
        self::assertSame(0, $result->code, $result->error);
        foreach ($ends as $id) {
            self::assertStringContainsString('invisible character', $command->run([...$deny, '--', 'portal', $id])->error, \bin2hex($id));
        }
        self::assertGreaterThan(20, \count($ends));
    }

    public function test_a_stop_that_is_not_understood_says_that_nothing_was_stopped(): void
    {
        $before = $this->state();
        foreach ([
            'feature:kill portal --reason=', 'feature:kill portal --reason', 'feature:kill portal', 'feature:kill', 'feature:kill portal other --reason=x', 'feature:kill portal --resaon=x', 'feature:stop-all --yes',
            'feature:stop-all --yes --reason=', 'feature:stop-all --yes --reason=x --environment=testing', 'feature emergency-disable portal --reason=', 'feature emergency-disable portal',
        ] as $line) {
            $of = \str_starts_with($line, 'feature ');
            self::assertSame($of && \str_contains($line, '=') ? 1 : 2, $this->artisanCode($line), "$line: $this->printed");
            $of && \str_contains($line, '=') || self::assertStringContainsString('NOTHING WAS STOPPED: the command was not understood', $this->printed, $line);
            self::assertStringNotContainsString('leave it out', $of ? '' : $this->printed, $line);
        }
        self::assertSame($before, $this->state());
    }

    /** @param array<string, mixed> $arguments */
    private function assertRefused(string $command, array $arguments, string $typed, string $kind): void
    {
        if ($arguments !== [] && !$this->app->make(Kernel::class)->all()[$command]->getDefinition()->hasOption('yes')) {
            unset($arguments['--yes']);
        } elseif (\array_key_exists('--yes', $arguments)) {
            $arguments['--yes'] = true;
        }
        $code = $this->artisanCode($command, $arguments);
        $what = "$command " . \json_encode($arguments) . " ($kind): $code, $this->printed";
        self::assertContains($code, [1, 2], $what);
        self::assertMatchesRegularExpression('/' . \preg_quote($typed, '/') . '(\\\\?"|) (is (\\\\?"|empty)|has no value)/', $this->printed, $what);
    }

    private function state(): string
    {
        return (string) \json_encode([
            \glob("$this->store/snapshots/*"), \file_get_contents("$this->store/audit.jsonl"), \md5_file("$this->store/head"),
        ]);
    }
}
