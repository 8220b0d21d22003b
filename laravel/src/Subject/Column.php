<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Closure;
use Illuminate\Database\Eloquent\Model;
use LogicException;
use ReflectionMethod;

/**
 * A model's attribute that is a company's key, read from the model's row if Eloquent would return the same value: Eloquent takes
 * ten times as long to find out that nothing computes it.
 *
 * @internal
 */
final class Column
{
    /** Methods by which a model may compute attributes, if it overrides them. */
    private const READERS = ['__get', 'getAttribute', 'getAttributeValue', 'getAttributeFromArray', 'getCasts', 'getDates'];

    /** @var array<class-string, bool> true if models of a class give this attribute as in their row, up to casts */
    private array $plain = [];

    /** @var Closure(Model): mixed */
    private readonly Closure $read;

    public function __construct(private readonly string $name)
    {
        $this->read = Closure::bind(static function (Model $model) use ($name): int|string|null {
            $value = $model->attributes[$name] ?? null;
            $cast = $model->casts[$name] ?? null;
            if ($cast === null && (\is_int($value) || \is_string($value))) {
                return $value;
            }
            if (($cast === 'int' || $cast === 'integer') && \is_int($value)) {
                return $value;
            }

            return $cast === 'string' && \is_string($value) ? $value : null;
        }, null, Model::class) ?? throw new LogicException('a model cannot be read');
    }

    /** The key; null if the model itself must be asked. */
    public function of(object $model): int|string|null
    {
        if (!$model instanceof Model || !($this->plain[$model::class] ??= $this->isPlain($model))) {
            return null;
        }
        $key = ($this->read)($model);

        return \is_int($key) || \is_string($key) ? $key : null;
    }

    private function isPlain(Model $model): bool
    {
        $studly = \str_replace('_', '', \ucwords($this->name, '_'));
        $computed = $this->name === $model->getKeyName()
            || \in_array($this->name, $model->getDates(), true)
            || \method_exists($model, "get{$studly}Attribute")
            || \method_exists($model, \lcfirst($studly));
        foreach (self::READERS as $reader) {
            $computed = $computed || (new ReflectionMethod($model, $reader))->class !== Model::class;
        }

        return !$computed;
    }
}
