<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Import;

use Dotenv\Dotenv;
use Dotenv\Exception\ExceptionInterface;
use RuntimeException;

/**
 * FEATURE_X=true and FEATURE_X_TEST_COMPANIES=15,42 (or _PILOT_COMPANIES). The real environment wins over .env.
 */
final class EnvSource implements Source
{
    /** A switch, or the list of its companies. */
    private const NAME = '/^FEATURE_([A-Z0-9_]+?)(_TEST_COMPANIES|_PILOT_COMPANIES)?$/D';

    /** Origin of a value that no file sets. */
    private const REAL = 'environment';

    /**
     * @param string $file a .env file; it need not exist
     * @param array<string, string> $environment of this process
     * @param string $loaded the .env file that Laravel has put into that environment already
     */
    public function __construct(
        private readonly string $file,
        private readonly array $environment,
        private readonly string $loaded,
        private readonly string $lists,
    ) {
    }

    public function read(): ImportResult
    {
        $found = new ImportResult();
        $values = $this->values();
        $switches = [];
        foreach ($values as $name => [$value, $from]) {
            $parts = [];
            if (\preg_match(self::NAME, $name, $parts) !== 1) {
                if (\stripos($name, 'FEATURE_') === 0) {
                    $found->refuse("{$this->place($name, $from)}: expected a name of capital letters, digits and _");
                }
                continue;
            }
            $key = \strtolower($parts[1]);
            $switches[$key] ??= ['from' => $from, 'on' => null, 'companies' => null, 'number' => null];
            if (isset($parts[2])) {
                $companies = Values::companies($value);
                if ($companies === null) {
                    $found->refuse("{$this->place($name, $from)} is " . Values::shown($value) . ', expected companies\' ids with commas between them, such as 15,42');
                    $found->leaveOut($key);
                    continue;
                }
                $companies = \array_unique([...$switches[$key]['companies'] ?? [], ...$companies]);
                $switches[$key]['companies'] = \array_values($companies);
                continue;
            }
            $switches[$key]['on'] = Values::bool($value);
            $switches[$key]['number'] = \in_array(\trim($value), ['0', '1'], true) ? $value : null;
            if ($switches[$key]['on'] === null) {
                $found->refuse("{$this->place($name, $from)} is " . Values::shown($value) . ', expected true or false');
                $found->leaveOut($key);
            }
        }
        $places = [];
        foreach ($switches as $key => $switch) {
            $places[$key] = $this->place('FEATURE_' . \strtoupper((string) $key), $switch['from']);
        }
        foreach ($this->unread($values) as $name) {
            $key = \strtolower((string) \preg_replace(self::NAME, '$1', $name));
            $place = $this->place($name, \basename($this->file));
            $places[$key] ??= $place;
            $found->refuse("$place is not read: a quote on this line or above it has no end");
            $found->leaveOut($key);
        }
        Conditions::refuse($found, $places, \array_filter($switches, static fn (array $switch): bool => $switch['on'] === null && $switch['companies'] !== null));
        foreach (\array_diff_key($switches, $found->leftOut) as $key => $switch) {
            $flag = $found->flag((string) $key, $switch['from']);
            $flag->place = $places[$key];
            Pilots::set($flag, $switch['on'], $switch['companies'], $this->lists);
            if ($switch['number'] !== null) {
                $flag->notes[] = "{$switch['number']} is taken for " . ($switch['on'] === true ? 'on' : 'off') . '; a number would be no flag';
            }
        }

        return $found;
    }

    /**
     * Names that stand in the file without a value: phpdotenv drops a quote without an end, and all below it.
     *
     * @param array<string, mixed> $values by name
     * @return list<string>
     */
    private function unread(array $values): array
    {
        $names = [];
        \preg_match_all('/^\s*(?:export\s+)?[\'"]?(FEATURE_\w+)[\'"]?\s*=/mi', @\is_file($this->file) ? (string) @\file_get_contents($this->file) : '', $names);

        return \array_values(\array_diff(\array_unique($names[1]), \array_map(strval(...), \array_keys($values))));
    }

    /** @return array<string, array{string, string}> value and origin, by name; switches before their lists */
    private function values(): array
    {
        $file = $this->parse($this->file);
        $loaded = $this->file === $this->loaded ? $file : $this->parse($this->loaded);
        $values = [];
        foreach ($file as $name => $value) {
            $values[$name] = [$value ?? '', \basename($this->file)];
        }
        foreach ($this->environment as $name => $value) {
            // A value that Laravel has loaded from its own .env is not of the real environment.
            if (\stripos($name, 'FEATURE_') === 0 && ($loaded[$name] ?? null) !== $value) {
                $values[$name] = [$value, self::REAL];
            }
        }
        \ksort($values);

        return $values;
    }

    /** The variable, with its line before it if the file sets it. */
    private function place(string $name, string $from): string
    {
        $lines = @\is_file($this->file) && $from !== self::REAL ? @\file($this->file) ?: [] : [];
        // Of several, the last one counts.
        $line = \array_key_last(\preg_grep('/^\s*(?:export\s+)?[\'"]?' . \preg_quote($name, '/') . '[\'"]?\s*(?:=|$)/', $lines) ?: []);

        return $line === null ? $name : "$from:" . ($line + 1) . ": $name";
    }

    /** @return array<string, ?string> */
    private function parse(string $path): array
    {
        if (!@\is_file($path)) {
            return [];
        }
        try {
            return Dotenv::parse((string) @\file_get_contents($path));
        } catch (ExceptionInterface $error) {
            throw new RuntimeException("$path: {$error->getMessage()}", 0, $error);
        }
    }
}
