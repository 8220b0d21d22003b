<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

use Illuminate\Contracts\Container\Container;
use Illuminate\Support\Arr;
use InvalidArgumentException;
use Stringable;
use UnitEnum;

/**
 * config/flagstone.php, by type. A key is written with dots: middleware.alias.
 *
 * @internal
 */
final class Config
{
    /** @param array<array-key, mixed> $values */
    public function __construct(private readonly array $values)
    {
    }

    /** As the configuration is now: a tenant may change it later. */
    public static function of(Container $app): self
    {
        $values = $app->make('config')->get('flagstone');

        return new self(\is_array($values) ? $values : []);
    }

    /** @throws InvalidArgumentException where it is something else, as all these do */
    public function text(string $key): ?string
    {
        $value = $this->get($key);
        if ($value === null || \is_scalar($value) || $value instanceof Stringable) {
            return $value === null ? null : (string) $value;
        }

        throw $this->wrong($key, 'a text or null');
    }

    /** @return list<string> a text alone is a list of one */
    public function texts(string $key): array
    {
        $texts = [];
        foreach ($this->many($key) as $value) {
            $texts[] = \is_string($value) ? $value : throw $this->wrong($key, 'a list of texts');
        }

        return $texts;
    }

    /** @return array<array-key, string> */
    public function map(string $key): array
    {
        $texts = [];
        foreach ($this->many($key) as $name => $value) {
            $texts[$name] = \is_string($value) ? $value : throw $this->wrong($key, 'texts by name');
        }

        return $texts;
    }

    /** @return list<string|UnitEnum> */
    public function flags(string $key): array
    {
        $flags = [];
        foreach ($this->many($key) as $value) {
            $flags[] = \is_string($value) || $value instanceof UnitEnum ? $value : throw $this->wrong($key, 'a list of flags');
        }

        return $flags;
    }

    public function get(string $key): mixed
    {
        return Arr::get($this->values, $key);
    }

    /** @return array<array-key, mixed> */
    private function many(string $key): array
    {
        return Arr::wrap($this->get($key));
    }

    private function wrong(string $key, string $expected): InvalidArgumentException
    {
        return new InvalidArgumentException(
            "config/flagstone.php: $key is " . \get_debug_type($this->get($key)) . ", expected $expected",
        );
    }
}
