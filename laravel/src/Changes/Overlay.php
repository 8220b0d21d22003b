<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Flagstone\Laravel\Exceptions\UnknownFlag;
use Flagstone\Laravel\Value;
use Flagstone\Polyfill\File\MergePatch;
use Flagstone\Polyfill\File\OverlayPatch;
use InvalidArgumentException;
use RuntimeException;
use stdClass;

/**
 * A developer's own changes to flags.json, in a file that git ignores: a merge patch (RFC 7386) on the document with its
 * environment, which the driver "file" applies last; its lists of companies are differences. Nothing of it reaches a store.
 */
final class Overlay
{
    public function __construct(
        private readonly string $file,
        private readonly string $overlay,
        private readonly string $environment,
    ) {
    }

    /**
     * The flags in the form that the driver reads.
     *
     * @return array<array-key, bool|stdClass> a flag named by digits alone is an int
     * @throws RuntimeException if a file is no JSON object
     */
    public function flags(): array
    {
        $document = $this->document();
        $overlay = $this->read();

        return self::flagsOf($overlay === null ? $document : MergePatch::to($document, OverlayPatch::over($document, $overlay)));
    }

    /** @return list<string> flags that it changes */
    public function changed(): array
    {
        $keys = \array_map(strval(...), \array_keys(\get_object_vars(Value::object($this->read(), 'flags') ?? new stdClass())));

        return \array_values(\array_diff($keys, $this->unknown(), ['$comment']));
    }

    /** @return list<string> flags that it names and flags.json lacks; they are ignored */
    public function unknown(): array
    {
        $overlay = $this->read();

        return $overlay === null ? [] : OverlayPatch::unknown($this->document(), $overlay);
    }

    /** Name of the file, for messages. */
    public function name(): string
    {
        return \basename($this->overlay);
    }

    /**
     * Removes the changes to a flag.
     *
     * @param ?string $flag null: of all
     */
    public function reset(?string $flag): Result
    {
        try {
            $overlay = $this->read();
            $flags = Value::object($overlay, 'flags') ?? new stdClass();
            $had = \array_map(strval(...), \array_keys(\get_object_vars($flags)));
            $gone = $flag === null ? $had : \array_values(\array_intersect($had, [$flag]));
            if ($overlay === null || $gone === []) {
                return new Result(Result::DONE, "{$this->name()} changes " . ($flag ?? 'no flag') . ($flag === null ? '' : ' in nothing') . '; nothing to take back');
            }
            foreach ($gone as $key) {
                unset($flags->{$key});
            }
            Json::write($this->overlay, $overlay);
        } catch (RuntimeException $error) {
            return Result::refused($error->getMessage());
        }

        return new Result(Result::DONE, 'as flags.json says again: ' . \implode(', ', $gone));
    }

    /** The document with the environment's patch, without the overlay. */
    private function document(): stdClass
    {
        $document = Json::read($this->file) ?? throw new RuntimeException(
            "there is no {$this->file} yet; make it with: php artisan feature:install",
        );
        $patch = Value::object($document, 'environments', $this->environment);

        return $patch === null ? $document : MergePatch::to($document, $patch);
    }

    private function read(): ?stdClass
    {
        return $this->overlay === '' ? null : Json::read($this->overlay);
    }

    /** @return array<array-key, bool|stdClass> */
    private static function flagsOf(stdClass $document): array
    {
        $flags = [];
        foreach (\get_object_vars(Value::object($document, 'flags') ?? new stdClass()) as $key => $flag) {
            if ((\is_bool($flag) || $flag instanceof stdClass) && $key !== '$comment') {
                $flags[$key] = $flag;
            }
        }

        return $flags;
    }

    public function apply(Change $change, bool $json): Result
    {
        if ($this->overlay === '') {
            return Result::refused('no overlay is read here, so a change would change nothing: tests read flags.json alone,'
                . " and get other answers by Flagstone::fake(['{$change->flag}' => …]). Elsewhere config/flagstone.php, overlay, names the file");
        }
        try {
            $flags = $this->flags();
            $before = $flags[$change->flag] ?? throw UnknownFlag::named($change->flag, \array_map(strval(...), \array_keys($flags)));
            $before = $before instanceof stdClass ? $before : (object) ['enabled' => $before];
            $before->enabled = Value::bool($before, 'enabled') ?? true;
            $document = $this->document();
            $base = self::flagsOf($document)[$change->flag] ?? null;
            $entry = Value::object($this->read(), 'flags', $change->flag);
            $patch = self::together($entry, self::patch($change, $before, $base, $entry));
            $after = self::flagsOf(MergePatch::to($document, OverlayPatch::over($document, (object) ['flags' => (object) [$change->flag => $patch]])))[$change->flag] ?? null;
            $after = $after instanceof stdClass ? $after : $before;
            if ($change->command === 'enable' && $change->percentage === null && $change->companies === [] && self::isForNobody($after)) {
                return Result::refused("{$change->flag} says 0 %, no company and no rule, so that it would be on for nobody; nothing was changed."
                    . " For everybody type `php artisan feature:enable {$change->flag} --percentage=100`,"
                    . " for some `php artisan feature:enable {$change->flag} --company=ID`");
            }
            $changed = $after != $before;
            if ($changed && !$change->dryRun) {
                $this->add($change->flag, $patch);
            }
        } catch (UnknownFlag | RuntimeException | InvalidArgumentException $error) {
            return Result::refused($error->getMessage());
        }

        $told = $this->told($change, $before, $after, $changed, $json);
        $zeros = CompanyText::zeros($change->companies);

        return $zeros === [] ? $told : $told->warning('warning: ' . \implode(', ', $zeros));
    }

    /** True if it can be on for no company, now or later. */
    private static function isForNobody(stdClass $flag): bool
    {
        $is = static fn (mixed $part): bool => !$part instanceof stdClass || !isset($part->percentage) || $part->percentage > 0;
        $some = !isset($flag->rollout) || $is($flag->rollout) || isset($flag->plan)
            || (Value::object($flag, 'companies')->allow ?? []) !== []
            || \array_filter([...(array) ($flag->schedule ?? []), ...(array) ($flag->rules ?? [])], $is) !== [];

        return !$some;
    }

    /** The difference of the lists, in the style of the command. */
    private static function listed(stdClass $before, stdClass $after): string
    {
        $told = [];
        foreach (['deny' => 'denied', 'allow' => 'allowed'] as $list => $word) {
            $of = static fn (stdClass $flag): array => \array_map(strval(...), \array_filter(Value::items($flag, 'companies', $list), is_scalar(...)));
            foreach (['more' => \array_diff($of($after), $of($before)), 'fewer' => \array_diff($of($before), $of($after))] as $how => $companies) {
                $count = \count($companies);
                if ($count > 0) {
                    $told[] = \number_format($count) . ($count === 1 ? " company $how is " : " companies $how are ") . $word;
                }
            }
        }

        return $told === [] ? 'its percentage, schedule or lists are written otherwise' : \implode(', ', $told);
    }

    private function told(Change $change, stdClass $before, stdClass $after, bool $changed, bool $json): Result
    {
        $name = \basename($this->overlay);
        [$from, $to] = [State::of($before), State::of($after)];
        $summary = "{$change->flag}: " . match (true) {
            !$changed => $to,
            State::withoutDenied($before) === State::withoutDenied($after) => State::withoutDenied($after) . ', as before but that ' . self::listed($before, $after),
            default => "$from → $to",
        };
        $written = $changed && !$change->dryRun;
        if ($json) {
            $data = [
                'environment' => $this->environment, 'file' => $this->overlay, 'flag' => $change->flag,
                'changed' => $written, 'dry_run' => $change->dryRun, 'summary' => $summary,
            ];
            $text = (string) \json_encode($data, \JSON_UNESCAPED_SLASHES | \JSON_UNESCAPED_UNICODE);

            return new Result(Result::DONE, $text);
        }
        $end = match (true) {
            !$changed => 'it says so already; nothing to change',
            $change->dryRun => 'nothing was changed',
            default => "changed $name: for this copy of the application only",
        };

        return new Result(Result::DONE, "{$this->environment}, $name: {$change->command} {$change->flag}\n$summary\n$end");
    }

    /** The patch that makes the change to the flag. */
    private static function patch(Change $change, stdClass $flag, bool|stdClass|null $base, ?stdClass $entry): stdClass
    {
        // The patch names the state, since the document may have the flag as a bare true or false.
        $patch = (object) ['enabled' => $flag->enabled];
        if ($change->command === 'enable') {
            $patch->enabled = true;
            $percentage = $change->percentage;
            if ($percentage === null && $change->companies !== [] && !$flag->enabled) {
                $percentage = '0';
            }
            self::percentage($patch, $flag, $percentage);
            self::companies($patch, $flag, $base, $entry, $change->companies, 'allow');
        } elseif ($change->command === 'disable' && $change->companies === []) {
            $patch->enabled = false;
        } elseif ($change->command === 'rollout') {
            self::percentage($patch, $flag, $change->percentage);
        } else {
            $into = ['disable' => 'deny', 'deny' => 'deny', 'allow' => 'allow', 'forget' => null][$change->command];
            self::companies($patch, $flag, $base, $entry, $change->companies, $into);
        }

        return $patch;
    }

    /** Sets the percentage and ends the schedule, which would replace it. */
    private static function percentage(stdClass $patch, stdClass $flag, ?string $percentage): void
    {
        if (!\is_numeric($percentage)) {
            return;
        }
        $patch->rollout = (object) ['percentage' => $percentage + 0];
        if (isset($flag->schedule)) {
            $patch->schedule = null;
        }
    }

    /**
     * Puts the companies into one of the overlay's lists, and out of the others.
     *
     * @param bool|stdClass|null $base the flag without the overlay
     * @param ?stdClass $entry the overlay's entry of the flag so far
     * @param list<int|string> $companies
     * @param ?string $into allow, deny or null: in neither
     */
    private static function companies(stdClass $patch, stdClass $flag, bool|stdClass|null $base, ?stdClass $entry, array $companies, ?string $into): void
    {
        if ($companies === []) {
            return;
        }
        $inBase = [...Value::keys($base, 'companies', 'allow'), ...Value::keys($base, 'companies', 'deny')];
        $forgotten = \array_values(\array_filter($companies, static fn (int|string $company): bool => \in_array((string) $company, \array_map(strval(...), $inBase), true)));
        $named = \array_fill_keys($companies, true);
        foreach (['allow' => $companies, 'deny' => $companies, 'forget' => $forgotten] as $list => $added) {
            $old = Value::keys($entry, 'companies', $list);
            $kept = \array_values(\array_filter($old, static fn (int|string $company): bool => !isset($named[$company])));
            $new = $list === ($into ?? 'forget') ? [...$kept, ...$added] : $kept;
            if ($new !== $old) {
                $patch->companies = Value::object($patch, 'companies') ?? new stdClass();
                $patch->companies->$list = $new;
            }
        }
        // A flag with `allow` must say what the others get: on for all, as before.
        if ($into === 'allow' && !isset($flag->rollout) && !isset($patch->rollout)) {
            $patch->rollout = (object) ['percentage' => 100];
        }
    }

    private function add(string $flag, mixed $patch): void
    {
        $overlay = $this->read() ?? (object) ['flags' => new stdClass()];
        $flags = Value::object($overlay, 'flags') ?? new stdClass();
        $flags->{$flag} = $patch;
        $overlay->flags = $flags;
        Json::write($this->overlay, $overlay);
    }

    /** Combines two patches into one with the effect of both, the second after the first. */
    private static function together(mixed $first, mixed $second): mixed
    {
        if (!$first instanceof stdClass || !$second instanceof stdClass) {
            return $second;
        }
        $both = clone $first;
        foreach (\get_object_vars($second) as $key => $value) {
            $both->{(string) $key} = self::together(Value::at($both, (string) $key), $value);
        }

        return $both;
    }
}
