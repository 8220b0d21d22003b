<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\State;
use Flagstone\Laravel\Contracts\Driver;
use Flagstone\Laravel\Flagstone;
use RuntimeException;
use stdClass;

final class ListCommand extends FlagCommand
{
    protected $signature = 'feature:list
        {--company= : Whether each is on for this company}
        {--json : Print JSON}' . self::LITERAL;

    protected $description = 'List the flags with their state';

    public function handle(Flagstone $flagstone, Changer $changer): int
    {
        $company = $this->text('company');
        if ($company === null && $changer->hasCommand()) {
            return $this->relay($changer, ['list']);
        }
        $this->warnOfStore($changer);
        try {
            $states = match (true) {
                $company !== null => $this->answers($flagstone->driver(), $company),
                $changer->isFile() => \array_map(
                    static fn (bool|stdClass $flag): string => State::of($flag),
                    $changer->flags(),
                ),
                default => $this->possible($flagstone->driver()),
            };
        } catch (RuntimeException $error) {
            return $this->finish(\Flagstone\Laravel\Changes\Result::unknown($error->getMessage()));
        }
        $overlay = $changer->overlay();
        $changed = $overlay?->changed() ?? [];
        $rows = [];
        foreach ($states as $flag => $state) {
            $rows[] = ['flag' => (string) $flag, 'state' => $state, ...($overlay === null ? [] : ['overlay' => \in_array((string) $flag, $changed, true)])];
        }
        $unknown = $overlay?->unknown() ?? [];
        if ($this->isJson()) {
            $this->json(['environment' => $changer->environment(), 'company' => $company, 'flags' => $rows, 'ignored' => $unknown]);
        } else {
            $name = $overlay?->name() ?? '';
            $this->table(['Flag', $company === null ? 'State' : "For $company"], \array_map(
                static fn (array $row): array => [$row['flag'], $row['state'] . (($row['overlay'] ?? false) ? " ($name)" : '')],
                $rows,
            ));
            foreach ($unknown as $flag) {
                $this->raw("$name has $flag, which flags.json lacks: it is ignored, and `php artisan feature:reset $flag` removes it");
            }
        }

        return 0;
    }

    /** @return array<array-key, string> */
    private function answers(Driver $driver, string $company): array
    {
        return \array_map(static fn (bool $on): string => $on ? 'on' : 'off', $driver->all($company));
    }

    /**
     * Answers that need no definitions.
     *
     * @return array<array-key, string>
     */
    private function possible(Driver $driver): array
    {
        $killed = \array_flip($driver->status()['killed']);
        $states = [];
        foreach ($driver->names() as $flag) {
            $states[$flag] = match (true) {
                isset($killed[$flag]) => 'KILLED',
                $driver->possible($flag) => 'on for some, or all',
                default => 'off for everybody',
            };
        }

        return $states;
    }
}
