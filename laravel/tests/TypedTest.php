<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Console\FlagCommand;
use Flagstone\Laravel\Tests\Support\Artisan;
use Illuminate\Contracts\Console\Kernel;
use Illuminate\Foundation\Application;

/**
 * A value that was forgotten, empty, or not one value never widens a change.
 */
final class TypedTest extends TestCase
{
    use Artisan;

    private const ARGUMENTS = [
        'flag' => 'portal', 'company' => ['15'], 'percentage' => '10', 'word' => 'show', 'source' => 'env', 'action' => 'list', 'value' => '5', 'file' => 'none.json',
    ];

    private string $store = '';

    protected function configure(Application $app): void
    {
        $this->store = $this->ownStore($app, [
            'portal' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15, 42]]], 'fresh' => ['enabled' => true, 'rollout' => ['percentage' => 5]],
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
            $lists = ['15,42', '15;42', '15 42', '[15,42]', "'15'", '"15"', '15|42', "15\n42", '{15}', '(15)'];
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
        self::assertSame(0, $this->artisanCode('feature:why', ['flag' => 'portal', '--company' => '7,8', '--literal' => true]));
        self::assertStringContainsString('ON for company 7,8', $this->printed);
        self::assertSame(0, $this->artisanCode('feature', ['action' => 'deny', 'flag' => 'portal', 'value' => '7,8', '--literal' => true]), $this->printed);
        self::assertFalse($has('7,8'));
        // A negative number is a company.
        self::assertSame(0, $this->artisanCode('feature:enable portal --company=-5'), $this->printed);
        self::assertTrue($has(-5));
        foreach (['acme-eu', '018f3c2e-7a4b-7c1d-9e8f-0123456789ab', 'a.b:c/d@e_f+g#1'] as $id) {
            self::assertSame(0, $this->artisanCode('feature:allow', ['flag' => 'portal', 'company' => [$id]]), $this->printed);
            self::assertTrue($has($id));
        }
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
