<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\File;

use Flagstone\Polyfill\LoadError;

/**
 * A file of definitions merged with an environment's patch and a local overlay's, and checked as a whole.
 *
 * @internal
 */
final class Document
{
    private const FLAGS = 100_000;
    private const ENVIRONMENTS = 100;
    private const MAX_SHOWN_ENVIRONMENTS = 10;
    public const KEY_ERROR = 'found the flag key "%s", expected 1 to 191 letters, digits, or _ . : \\ - after the first';

    /** @var array<int|string, Flag> by key, sorted */
    public array $flags = [];
    /** @var array<int|string, \stdClass> conditions by name */
    public array $segments = [];

    private readonly Findings $findings;

    /**
     * @param string  $file    its name in messages; `$overlayFile` is the overlay's
     * @param ?string $overlay text of the overlay; null if there is none
     * @param bool    $maySkip the environment may be one that the document does not name
     *
     * @throws LoadError with all problems
     */
    public function __construct(string $file, string $text, ?string $environment, string $overlayFile = '', ?string $overlay = null, bool $maySkip = false)
    {
        $this->findings = new Findings();
        $tree = Json::decode($file, $text);
        $this->findings->layer($file, '', $tree);
        $this->environments($tree, $maySkip ? null : $environment);
        $patch = $environment === null || $environment === '$comment' ? null : $tree->environments->{$environment} ?? null;
        if ($patch instanceof \stdClass && $environment !== null) {
            $this->findings->layer($file, Findings::pointer(['environments', $environment]), $patch);
            $tree = MergePatch::to($tree, $patch);
        }
        if ($overlay !== null) {
            $patch = Json::decode($overlayFile, $overlay);
            $this->findings->layer($overlayFile, '', $patch);
            $patch = $patch instanceof \stdClass ? OverlayPatch::over($tree, $patch) : $patch;
            $this->patch($patch, $tree, []);
            if ($patch instanceof \stdClass) {
                $tree = MergePatch::to($tree, $patch);
            }
        }
        $this->read($tree);
        $this->findings->refuse();
    }

    private function read(mixed $tree): void
    {
        $read = new FieldReader($this->findings);
        $fields = $read->fields($tree, [], ['flags', 'segments', 'guard', 'environments', '$schema'], 'an object with "flags"');
        if ($fields === null) {
            return;
        }
        if (\array_key_exists('$schema', $fields)) {
            $read->string($fields['$schema'], ['$schema'], 'the schema\'s address, a string');
        }
        $references = new References();
        $conditions = new Conditions($read, $references);
        $segments = \array_key_exists('segments', $fields) ? $read->entries($fields['segments'], ['segments'], 'an object of conditions by segment name') : [];
        foreach ($segments as $name => $condition) {
            $read->isName((string) $name, ['segments', $name], 'segment name');
            $references->owner((string) $name);
            $conditions->condition($condition, ['segments', $name]);
        }
        $references->owner(null);
        if (\array_key_exists('guard', $fields)) {
            (new Guards($read))->guard($fields['guard'], ['guard']);
        }
        if (!\array_key_exists('flags', $fields)) {
            $read->missing([], 'flags', 'an object of flags by key');

            return;
        }
        $flags = new Flags($read, $conditions, $references);
        $entries = $read->entries($fields['flags'], ['flags'], 'an object of flags by key');
        if (\count($entries) > self::FLAGS) {
            $this->findings->error(['flags'], 'found ' . \count($entries) . ' flags, expected at most ' . self::FLAGS);
        }
        foreach ($entries as $key => $value) {
            if (!self::isKey((string) $key)) {
                $this->findings->error(['flags', $key], \sprintf(self::KEY_ERROR, Findings::clip((string) $key)));
            }
            $this->flags[$key] = $flags->flag((string) $key, $value, ['flags', $key]);
        }
        \ksort($this->flags, \SORT_STRING);
        foreach ($segments as $name => $condition) {
            if ($condition instanceof \stdClass) {
                $this->segments[$name] = $condition;
            }
        }
        $references->check($this->flags, $segments, $this->findings);
    }

    public static function isKey(string $key): bool
    {
        return Spelling::isName($key, 191, Spelling::ALPHANUMERIC, Spelling::ALPHANUMERIC . '_.:\\-');
    }

    /** Checks all environments as far as possible without merging them, and that the expected one is among them if there are any. */
    private function environments(mixed $tree, ?string $expected): void
    {
        if (!$tree instanceof \stdClass || !\property_exists($tree, 'environments')) {
            return;
        }
        $patches = (new FieldReader($this->findings))->entries($tree->environments, ['environments'], 'an object of environments by name');
        if (\count($patches) > self::ENVIRONMENTS) {
            $this->findings->error(['environments'], 'found ' . \count($patches) . ' environments, expected at most ' . self::ENVIRONMENTS);
        }
        if ($expected !== null && $patches !== [] && !\array_key_exists($expected, $patches)) {
            $names = \array_map('strval', \array_keys($patches));
            $shown = \implode(', ', \array_map(Findings::clip(...), \array_slice($names, 0, self::MAX_SHOWN_ENVIRONMENTS)));
            $name = Findings::clip($expected);
            $this->findings->error([], "found the environment \"$name\", expected one that the document names: $shown" . (\count($names) > self::MAX_SHOWN_ENVIRONMENTS ? ' …' : ''),
                Findings::suggestion($expected, $names) ?? "add \"$name\": {} to \"environments\" if it gets the document as it is");
        }
        foreach ($patches as $name => $patch) {
            $path = ['environments', $name];
            if (!Spelling::isName((string) $name, 64, Spelling::LOWER, Spelling::LOWER . Spelling::DIGITS . '_-')) {
                $shown = Findings::clip((string) $name);
                $this->findings->error($path, "found the environment \"$shown\", expected 1 to 64 lower-case letters, digits, _ or -, a letter first");
            }
            $this->patch($patch, $tree, $path);
        }
    }

    /**
     * Checks a merge patch, which may change only flags and segments.
     *
     * @param list<int|string> $path
     */
    private function patch(mixed $patch, mixed $tree, array $path): void
    {
        $read = new FieldReader($this->findings);
        if (!$patch instanceof \stdClass) {
            $read->mismatch($patch, $path, 'an object: a merge patch (RFC 7386) on the document');

            return;
        }
        $known = $path === [] ? ['flags', 'segments', 'guard', '$schema'] : ['flags', 'segments', 'guard'];
        if ($path !== [] && \property_exists($patch, 'environments')) {
            $this->findings->error([...$path, 'environments'], 'an environment cannot patch "environments"');
            $known[] = 'environments';
        }
        $read->fields($patch, $path, $known, '');
        // RFC 7386 does all of this without a word, and a flag would come on although neither text says so.
        foreach (($patch->flags ?? null) instanceof \stdClass ? (array) $patch->flags : [] as $key => $change) {
            if (!$change instanceof \stdClass) {
                continue;
            }
            $at = [...$path, 'flags', $key];
            $name = Findings::clip((string) $key);
            $flag = $tree->flags->{$key} ?? null;
            if ($flag === false && !\property_exists($change, 'enabled')) {
                $this->findings->error($at, "$name is false in the document, and the patch does not say \"enabled\"", 'add "enabled": true or false');
            }
            if (\property_exists($change, 'enabled') && $change->enabled === null) {
                $read->mismatch(null, [...$at, 'enabled'], 'true or false: without it the flag is enabled');
            }
            $isDeleted = static fn (mixed $object, string $field): bool => $object instanceof \stdClass && \property_exists($object, $field) && $object->{$field} === null;
            $deleted = match (true) {
                ($flag->companies->deny ?? []) === [] => null,
                $isDeleted($change, 'companies') => ['companies'],
                $isDeleted($change->companies ?? null, 'deny') => ['companies', 'deny'],
                default => null,
            };
            if ($deleted !== null) {
                $this->findings->error([...$at, ...$deleted], "found null, which deletes the list of companies that $name denies", 'write "deny": [] if that is meant');
            }
        }
    }
}
