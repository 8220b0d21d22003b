<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Pennant;

use Closure;
use Flagstone\Laravel\Exceptions\InvalidSetting;
use Flagstone\Laravel\Value;
use Illuminate\Support\Collection;
use Laravel\Pennant\Contracts\Driver;

/**
 * The Pennant store that has what Flagstone does not have, and the cache that Pennant keeps before the driver.
 *
 * @internal
 */
final class Fallback
{
    private ?Driver $store = null;

    /**
     * @param object $manager Pennant's
     * @param string $own the name of Flagstone's store
     * @param ?string $name of the other store, as config/pennant.php names it; null: there is none
     */
    public function __construct(private readonly object $manager, private readonly string $own, private readonly ?string $name)
    {
    }

    /** @throws InvalidSetting where it is Flagstone's own */
    public function store(): ?Driver
    {
        if ($this->name === null || $this->store !== null) {
            return $this->store;
        }
        if ($this->name === $this->own || !\method_exists($this->manager, 'store')) {
            throw new InvalidSetting("config/flagstone.php: pennant.fallback is \"$this->name\", expected another store of config/pennant.php");
        }
        $store = $this->manager->store($this->name);
        // Without Pennant's cache, which is kept before this package's driver already.
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
     * Has Pennant keep no answer of Flagstone's: in a process that lives long a kill would not be seen before Feature::flushCache().
     *
     * @param Closure(string): bool $has whether a feature is Flagstone's
     */
    public function uncache(Closure $has): void
    {
        $decorator = \method_exists($this->manager, 'store') ? $this->manager->store($this->own) : null;
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
