<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

use Closure;
use Flagstone\Laravel\Exceptions\InvalidSetting;
use Illuminate\Contracts\Container\Container;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Support\Arr;
use Stringable;
use UnitEnum;

/**
 * Typed access to config/flagstone.php. A key is written with dots: middleware.alias.
 *
 * A blank text, such as `FLAGSTONE_DRIVER=` in .env leaves, counts as an absent setting.
 *
 * @internal
 */
final class Config
{
    /** @param array<array-key, mixed> $values */
    public function __construct(private readonly array $values)
    {
    }

    /** The current configuration: a tenant may change it later. */
    public static function of(Container $app): self
    {
        $values = $app->make('config')->get('flagstone');

        return new self(\is_array($values) ? $values : []);
    }

    /**
     * Reads settings while the application boots. Outside of `local` and `testing` a mistake in them is reported, and ends no page,
     * worker or command that asks for no flag.
     *
     * @template T
     * @param T $otherwise
     * @param Closure(): T $read
     * @return T
     */
    public static function atBoot(Application $app, mixed $otherwise, Closure $read): mixed
    {
        try {
            return $read();
        } catch (InvalidSetting $problem) {
            if ($app->environment('local', 'testing')) {
                throw $problem;
            }
            $app->booted(static fn () => $app->make(Warnings::class)->setting($problem));

            return $otherwise;
        }
    }

    /** @throws InvalidSetting if it has another type; all methods here do */
    public function text(string $key): ?string
    {
        $value = $this->get($key);
        // env() makes true and false of these words, and true is the text "1".
        if ($value === null || \is_scalar($value) && !\is_bool($value) || $value instanceof Stringable) {
            return self::isBlank($value) ? null : (string) $value;
        }

        throw $this->wrong($key, 'a text or null' . (\is_bool($value) ? '; Laravel reads the words true and false of .env as no text, in quotes too' : ''));
    }

    /** @throws InvalidSetting for a text that is not among the known ones, which it lists */
    public function word(string $key, string ...$known): ?string
    {
        $word = $this->text($key);
        if ($word === null || \in_array($word, $known, true)) {
            return $word;
        }

        throw InvalidSetting::unknown($key, $word, \array_values($known));
    }

    /** The store's directory; null if the configuration has none. */
    public function store(Application $app): ?string
    {
        return $this->path('store', $app) ?? ($this->get('store') === null ? null : $app->storagePath() . '/flagstone');
    }

    /** The store that .env or the configuration names; null for the package's own place while no store is there. */
    public function namedStore(Application $app): ?string
    {
        $store = $this->store($app);

        return $store === $app->storagePath() . '/flagstone' && !@\is_file("$store/head") ? null : $store;
    }

    /** Path of the definitions. */
    public function file(Application $app): string
    {
        return $this->path('file', $app) ?? $app->basePath('flags.json');
    }

    /** Path of a developer's own changes; null: none. Tests have none, so that they have equal results on every machine. */
    public function overlay(Application $app): ?string
    {
        return $app->environment('testing') ? null : $this->path('overlay', $app);
    }

    /** A path; a relative one starts at the application's root, since artisan and the web server run in different folders. */
    public function path(string $key, Application $app): ?string
    {
        $path = $this->text($key);

        return $path === null || \str_starts_with($path, '/') ? $path : $app->basePath($path);
    }

    /** @return non-empty-list<string> the sources of the company; a list of none is one of blanks, without the blanks */
    public function subject(): array
    {
        return $this->texts('subject') ?: ['user:company_id'];
    }

    /** True if a flag that does not exist is an exception. A mistyped setting is one where developers see it, and as none elsewhere. */
    public function throwsUnknown(Application $app): bool
    {
        $isLoud = $app->environment('local', 'testing');
        try {
            return ($this->unknown() ?? ($isLoud ? 'throw' : 'log')) === 'throw';
        } catch (InvalidSetting $problem) {
            return $isLoud ? throw $problem : false;
        }
    }

    public function unknown(): ?string
    {
        return $this->word('unknown', 'throw', 'log');
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
        return \array_filter(Arr::wrap($this->get($key)), static fn (mixed $value): bool => !self::isBlank($value));
    }

    private static function isBlank(mixed $value): bool
    {
        return $value === null || \is_scalar($value) && \trim((string) $value) === '';
    }

    private function wrong(string $key, string $expected): InvalidSetting
    {
        return InvalidSetting::wrongType($key, $this->get($key), $expected);
    }
}
