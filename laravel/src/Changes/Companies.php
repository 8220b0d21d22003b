<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Closure;
use Flagstone\Laravel\Value;
use Illuminate\Contracts\Container\Container;
use Illuminate\Database\Eloquent\Model;
use InvalidArgumentException;

/**
 * The existing companies, for the reach of a change: those of "companies" in config/flagstone.php.
 */
final class Companies
{
    /** Rows of one query. */
    private const CHUNK = 10_000;

    /** Bytes of a list that are kept in memory; a longer list goes to a file. */
    private const MEMORY = 33_554_432;

    /** @param mixed $source null, the class of a model, or a callable that returns ids */
    public function __construct(private readonly mixed $source, private readonly Container $container)
    {
    }

    public function isConfigured(): bool
    {
        return $this->source !== null;
    }

    /**
     * A stream of the ids as a JSON array, at its start: for plain lines the command would have to guess if they are a table. It is
     * deleted when it is closed, and takes at most 32 MiB of memory.
     *
     * @return resource
     * @throws InvalidArgumentException if "companies" or an id is not valid
     */
    public function file(): mixed
    {
        // In memory at first: a change does not depend on a directory for temporary files.
        $file = @\fopen('php://temp/maxmemory:' . self::MEMORY, 'w+') ?: throw new InvalidArgumentException('cannot list the companies in memory');
        $before = '[';
        foreach ($this->ids() as $id) {
            $text = \is_int($id) || \is_string($id) ? (string) $id : '';
            $json = \json_encode($id, \JSON_UNESCAPED_SLASHES | \JSON_UNESCAPED_UNICODE);
            if ($json === false || \preg_match('/^[^\r\n]{1,1024}$/D', $text) !== 1) {
                $found = \is_scalar($id) ? \var_export($id, true) : \get_debug_type($id);
                throw new InvalidArgumentException(
                    "\"companies\" in config/flagstone.php gave $found, expected ids: integers, or strings of one line in UTF-8",
                );
            }
            self::write($file, "$before$json");
            $before = ",\n";
        }
        self::write($file, $before === '[' ? '[]' : ']');
        \rewind($file);

        return $file;
    }

    /** @param resource $file */
    private static function write(mixed $file, string $text): void
    {
        if (@\fwrite($file, $text) !== \strlen($text)) {
            throw new InvalidArgumentException('cannot write the list of companies to the directory for temporary files');
        }
    }

    /** @return iterable<mixed> */
    private function ids(): iterable
    {
        $source = $this->source;
        if (\is_string($source) && \class_exists($source)) {
            $source = $this->container->make($source);
        }
        if ($source instanceof Model) {
            return self::keys($source);
        }
        // A static method needs no object.
        if (\is_array($source) && !\is_callable($source) && \is_string($source[0] ?? null) && \class_exists($source[0])) {
            $source[0] = $this->container->make($source[0]);
        }
        if (!\is_callable($source)) {
            throw new InvalidArgumentException(
                '"companies" in config/flagstone.php is ' . self::told($this->source)
                . ', expected a model\'s class, a class with __invoke(), or [class, method]',
            );
        }
        $ids = Closure::fromCallable($source)();
        if (!\is_iterable($ids)) {
            throw new InvalidArgumentException(
                '"companies" in config/flagstone.php gave ' . \get_debug_type($ids) . ', expected a list of ids',
            );
        }

        return $ids;
    }

    /** @return iterable<mixed> the keys of a model's rows, with its scopes applied */
    private static function keys(Model $model): iterable
    {
        $key = $model->getKeyName();
        $query = $model->newQuery()->toBase()->select($model->getQualifiedKeyName());
        foreach ($query->lazyById(self::CHUNK, $model->getQualifiedKeyName(), $key) as $row) {
            yield Value::at($row, $key);
        }
    }

    private static function told(mixed $source): string
    {
        return \is_string($source) ? "\"$source\"" : \get_debug_type($source);
    }
}
