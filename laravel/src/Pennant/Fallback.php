<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Pennant;

use Closure;
use Flagstone\Laravel\Exceptions\InvalidSetting;
use Flagstone\Laravel\Value;
use Illuminate\Support\Collection;
use Laravel\Pennant\Contracts\Driver;

/**
 * The Pennant store of features that are not flags, and Pennant's cache in front of the driver.
 *
 * @internal
 */
final class Fallback
{
    private ?Driver $store = null;

    /**
     * @param object $manager Pennant's
     * @param list<string> $own names of the stores with Flagstone's driver
     * @param ?string $name name of the other store in config/pennant.php; null: there is none
     */
    public function __construct(private readonly object $manager, private readonly array $own, private readonly ?string $name)
    {
    }

    /** @throws InvalidSetting if it is Flagstone's own */
    public function store(): ?Driver
    {
        if ($this->name === null || $this->store !== null) {
            return $this->store;
        }
        if (\in_array($this->name, $this->own, true) || !\method_exists($this->manager, 'store')) {
            throw new InvalidSetting("config/flagstone.php: pennant.fallback is \"$this->name\", expected another store of config/pennant.php");
        }
        $store = $this->manager->store($this->name);
        // Without Pennant's cache, which is already in front of this package's driver.
        $store = \is_object($store) && \method_exists($store, 'getDriver') ? $store->getDriver() : $store;

        return $this->store = $store instanceof Driver ? $store : null;
    }

    /** @param callable(mixed): mixed $resolver */
    public function define(string $feature, callable $resolver): void
    {
        $this->store()?->define($feature, $resolver);
    }

    /** @return list<string> */
    public function stored(): array
    {
        $store = $this->store();
        $stored = $store !== null && \method_exists($store, 'stored') ? $store->stored() : [];

        return Value::texts(['stored' => $stored], 'stored');
    }

    /**
     * Excludes Flagstone's answers from Pennant's caches: a long-lived process would not see a kill before Feature::flushCache().
     *
     * @param Closure(string): bool $has true if a feature is Flagstone's
     */
    public function uncache(Closure $has): void
    {
        foreach (\method_exists($this->manager, 'store') ? $this->own : [] as $name) {
            $this->uncacheIn($this->manager->store($name), $has);
        }
    }

    /** @param Closure(string): bool $has */
    private function uncacheIn(mixed $decorator, Closure $has): void
    {
        if (!\is_object($decorator) || !\property_exists($decorator, 'cache')) {
            return;
        }
        Closure::bind(static function (object $of) use ($has): void {
            if ($of->cache instanceof Collection && !$of->cache instanceof UncachedFlags) {
                $of->cache = new UncachedFlags($of->cache->all(), $has);
            }
        }, null, $decorator::class)($decorator);
    }
}
