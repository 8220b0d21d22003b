<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Flagstone\Laravel\Exceptions\UnknownFlag;
use Flagstone\Laravel\Value;
use Flagstone\Polyfill\File\MergePatch;
use InvalidArgumentException;
use RuntimeException;
use stdClass;

/**
 * A developer's own changes to flags.json, in a file that git ignores: a merge patch (RFC 7386) on the document with
 * its environment, which the driver "file" applies last. Nothing of it reaches a store.
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
     * The flags as the driver sees them.
     *
     * @return array<array-key, bool|stdClass> a flag named by digits alone is an int
     * @throws RuntimeException where a file is no JSON object
     */
    public function flags(): array
    {
        $document = Json::read($this->file) ?? throw new RuntimeException(
            "there is no {$this->file} yet; make it with: php artisan feature:install",
        );
        foreach ([Value::object($document, 'environments', $this->environment), Json::read($this->overlay)] as $patch) {
            if ($patch !== null) {
                $document = MergePatch::to($document, $patch);
            }
        }
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
            return Result::refused('no overlay is read here, so a change would change nothing: tests read flags.json alone, and'
                . ' config/flagstone.php, overlay, names the file elsewhere');
        }
        try {
            $flags = $this->flags();
            $before = $flags[$change->flag] ?? throw UnknownFlag::named($change->flag, \array_map(strval(...), \array_keys($flags)));
            $before = $before instanceof stdClass ? $before : (object) ['enabled' => $before];
            $before->enabled = Value::bool($before, 'enabled') ?? true;
            $patch = self::patch($change, $before);
            $after = MergePatch::to($before, $patch);
            $changed = $after != $before;
            if ($changed && !$change->dryRun) {
                $this->add($change->flag, $patch);
            }
        } catch (UnknownFlag | RuntimeException | InvalidArgumentException $error) {
            return Result::refused($error->getMessage());
        }

        return $this->told($change, $before, $after, $changed, $json);
    }

    private function told(Change $change, stdClass $before, stdClass $after, bool $changed, bool $json): Result
    {
        $name = \basename($this->overlay);
        [$from, $to] = [State::of($before), State::of($after)];
        $summary = "{$change->flag}: " . match (true) {
            !$changed => $to,
            $from === $to => "$to, as before but for one company or more",
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

        return new Result(Result::DONE, "{$this->environment}, $name: {$change->word} {$change->flag}\n$summary\n$end");
    }

    /** What has to be merged into the flag. */
    private static function patch(Change $change, stdClass $flag): stdClass
    {
        // Where the document has the flag as a bare true or false, the patch has to say which.
        $patch = (object) ['enabled' => $flag->enabled];
        if ($change->word === 'enable') {
            $patch->enabled = true;
            $percentage = $change->percentage;
            if ($percentage === null && !$change->keep) {
                $percentage = match (true) {
                    $change->companies === [] => isset($flag->rollout) ? '100' : null,
                    default => $flag->enabled ? null : '0',
                };
            }
            self::percentage($patch, $flag, $percentage);
            self::companies($patch, $flag, $change->companies, 'allow');
        } elseif ($change->word === 'disable' && $change->companies === []) {
            $patch->enabled = false;
        } elseif ($change->word === 'rollout') {
            self::percentage($patch, $flag, $change->percentage);
        } else {
            $into = ['disable' => 'deny', 'deny' => 'deny', 'allow' => 'allow', 'forget' => null][$change->word];
            self::companies($patch, $flag, $change->companies, $into);
        }

        return $patch;
    }

    /** A schedule would take over from the percentage, so it ends. */
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
     * Takes the companies out of both lists, and puts them into one.
     *
     * @param list<int|string> $companies
     * @param ?string $into allow, deny or null: none
     */
    private static function companies(stdClass $patch, stdClass $flag, array $companies, ?string $into): void
    {
        if ($companies === []) {
            return;
        }
        $named = \array_fill_keys($companies, true);
        foreach (['allow', 'deny'] as $list) {
            $old = Value::keys($flag, 'companies', $list);
            $new = $list === $into
                ? [...$old, ...\array_keys(\array_diff_key($named, \array_fill_keys($old, true)))]
                : \array_values(\array_filter($old, static fn (int|string $company): bool => !isset($named[$company])));
            if ($new !== $old) {
                $patch->companies = Value::object($patch, 'companies') ?? new stdClass();
                $patch->companies->$list = $new;
            }
        }
        // Who allows some has to say what the others get: as before, everybody.
        if ($into === 'allow' && !isset($flag->rollout) && !isset($patch->rollout)) {
            $patch->rollout = (object) ['percentage' => 100];
        }
    }

    private function add(string $flag, stdClass $patch): void
    {
        $overlay = Json::read($this->overlay) ?? (object) ['flags' => new stdClass()];
        $flags = Value::object($overlay, 'flags') ?? new stdClass();
        $flags->{$flag} = self::together($flags->{$flag} ?? null, $patch);
        $overlay->flags = $flags;
        Json::write($this->overlay, $overlay);
    }

    /** One patch that does what two do, the second after the first. */
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
