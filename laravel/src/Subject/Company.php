<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use BackedEnum;
use Countable;
use Illuminate\Contracts\Queue\QueueableEntity;
use Illuminate\Contracts\Support\Jsonable;
use Illuminate\Database\Eloquent\Relations\Pivot;
use InvalidArgumentException;
use ReflectionClass;
use Stringable;
use Traversable;

/**
 * Converts the application's values to the key of a company.
 *
 * @internal
 */
final class Company
{
    /** Namespaces of classes whose objects have a text that is no key: an exception, a request, a view. */
    private const FRAMEWORKS = ['Illuminate\\', 'Symfony\Component\\'];

    /** Exceptions to these, which are values. */
    private const VALUES = ['Illuminate\Support\Stringable', 'Symfony\Component\Uid\\', 'Symfony\Component\String\\'];

    /** @var array<class-string, bool> true if the text of a class's objects is a key */
    private static array $values = [];

    /**
     * Accepts null, an int, a string, a backed enum (its value), a model (its key) or a value object that is a string, such as a UUID.
     *
     * The text of anything else is refused: a collection's is JSON, which no list of companies contains, so that a company in
     * `deny` would pass.
     *
     * @throws InvalidArgumentException for anything else
     */
    public static function key(mixed $company): int|string|null
    {
        if ($company === null || \is_int($company) || \is_string($company)) {
            return $company;
        }
        if (\is_object($company) && \method_exists($company, 'flagstoneCompany')) {
            return self::key($company->flagstoneCompany());
        }
        if ($company instanceof BackedEnum) {
            return $company->value;
        }
        // Checked before Stringable: a model's string is its JSON.
        if ($company instanceof QueueableEntity) {
            return self::ofModel($company, $company->getQueueableId());
        }
        if ($company instanceof Stringable && (self::$values[$company::class] ??= self::isValue($company))) {
            $text = (string) $company;
            if (\preg_match('/^[\[{"]|[\x00-\x1f\x7f]/', $text) === 0) {
                return $text;
            }
        }

        throw new InvalidArgumentException(\sprintf(
            'A company is an int, a string, null, a backed enum, a model or a value object such as a UUID, %s given; %s',
            \get_debug_type($company),
            \is_iterable($company) ? 'pass one company, or ask Flagstone::filter() for several' : 'pass its key',
        ));
    }

    /** True if both are one company, even as two objects; null is one of its own. */
    public static function isSame(mixed $one, mixed $other): bool
    {
        return $one === $other || $one !== null && $other !== null && (string) self::key($one) === (string) self::key($other);
    }

    /**
     * The key of a model. An unsaved one without a key is refused: no company at all would pass every list of denied ones.
     *
     * @throws InvalidArgumentException if it has none
     */
    public static function ofModel(object $model, mixed $key): int|string
    {
        $pivot = $model instanceof Pivot && !$model->getIncrementing();
        $key = $pivot ? null : self::key($key);

        return $key !== null && $key !== '' ? $key : throw new InvalidArgumentException(\sprintf(
            '%s has no key: it is not saved. Save it first, or ask Flagstone::for(null) for no company',
            \get_debug_type($model),
        ));
    }

    /** True if objects of this class stand for their text, such as UUIDs and Str::of(). */
    private static function isValue(Stringable $object): bool
    {
        // An object with an array or JSON form is more than its text, which may be just that JSON.
        if ($object instanceof Traversable || $object instanceof Countable || $object instanceof Jsonable || \method_exists($object, 'toArray')) {
            return false;
        }
        $class = new ReflectionClass($object);
        do {
            // PHP's own classes, such as an exception, a date or a file, and their subclasses.
            if ($class->isInternal() || self::startsWith($class->getName(), self::FRAMEWORKS) && !self::startsWith($class->getName(), self::VALUES)) {
                return false;
            }
            $class = $class->getParentClass();
        } while ($class !== false);

        return true;
    }

    /** @param list<string> $beginnings */
    private static function startsWith(string $name, array $beginnings): bool
    {
        foreach ($beginnings as $beginning) {
            if (\str_starts_with($name, $beginning)) {
                return true;
            }
        }

        return false;
    }
}
