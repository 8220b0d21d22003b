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
    /** Names whose value is a percentage of the companies. */
    private const SHARE = '/_(?:rollout_)?(?:percentage|percent|pct|rollout)$/D';

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
        $switches = $refused = [];
        foreach ($this->values() as $name => [$value, $from]) {
            $parts = [];
            if (\preg_match('/^FEATURE_([A-Z0-9_]+?)(_TEST_COMPANIES|_PILOT_COMPANIES)?$/D', $name, $parts) !== 1) {
                if (\stripos($name, 'FEATURE_') === 0) {
                    $found->refuse("{$this->place($name, $from)}: expected a name of capital letters, digits and _");
                }
                continue;
            }
            $key = \strtolower($parts[1]);
            $switches[$key] ??= ['from' => $from, 'on' => null, 'companies' => null, 'number' => null, 'blank' => false];
            if (isset($parts[2])) {
                $companies = Values::companies($value);
                if ($companies === null) {
                    $refused[$key] = "{$this->place($name, $from)} is " . Values::shown($value) . ', expected companies\' ids with commas between them, such as 15,42';
                    $found->refuse($refused[$key]);
                    continue;
                }
                $companies = \array_unique([...$switches[$key]['companies'] ?? [], ...$companies]);
                $switches[$key]['companies'] = \array_values($companies);
                continue;
            }
            $switches[$key]['on'] = Values::bool($value);
            $switches[$key]['blank'] = \trim($value) === '';
            $switches[$key]['number'] = \in_array(\trim($value), ['0', '1'], true) ? $value : null;
            if ($switches[$key]['on'] === null) {
                $refused[$key] = "{$this->place($name, $from)} is " . Values::shown($value) . ', expected true or false';
                $found->refuse($refused[$key]);
            }
        }
        foreach ($switches as $key => $switch) {
            // FEATURE_X_ROLLOUT=1 beside FEATURE_X is a percentage, not a flag that is on.
            $of = \preg_replace(self::SHARE, '', (string) $key);
            if ($of !== $key && isset($switches[$of]) && !isset($refused[$key]) && ($switch['number'] !== null || $switch['blank'])) {
                $refused[$key] = $this->place('FEATURE_' . \strtoupper((string) $key), $switch['from']) . ' is a percentage, expected a switch';
                $found->refuse($refused[$key]);
            }
        }
        foreach (\array_diff_key($switches, $refused) as $key => $switch) {
            // FEATURE_X_ROLLOUT=10 beside FEATURE_X: the code does not act by the switch alone.
            $about = \array_filter(\array_keys($refused), static fn (string $other): bool => \str_starts_with($other, "{$key}_"));
            if ($about !== []) {
                $name = $this->place('FEATURE_' . \strtoupper((string) $key), $switch['from']);
                $found->refuse("$name goes with FEATURE_" . \strtoupper((string) \reset($about)) . ', which cannot be taken over');
                continue;
            }
            $flag = $found->flag((string) $key, $switch['from']);
            $flag->place = $this->place('FEATURE_' . \strtoupper((string) $key), $switch['from']);
            Pilots::set($flag, $switch['on'], $switch['companies'], $this->lists);
            if ($switch['number'] !== null) {
                $flag->notes[] = "{$switch['number']} is taken for " . ($switch['on'] === true ? 'on' : 'off') . '; a number would be no flag';
            }
        }

        return $found;
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
