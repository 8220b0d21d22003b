<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Drivers;

use Flagstone\Laravel\Contracts\Driver;
use Flagstone\Laravel\Exceptions\BrokenDefinitions;
use Flagstone\Polyfill\Company;
use Flagstone\Polyfill\Process;
use Flagstone\Polyfill\Status;

/**
 * Answers from the current flags.json, with the environment's patch and the developer's overlay merged into it. For development:
 * no store, no publish, no extension; a flag can be neither killed nor stopped.
 *
 * The files are looked at once per request, and read again after a change. Without the extension the global functions answer
 * from the same file.
 */
final class FileDriver implements Driver
{
    /**
     * @param string $file path of the definitions
     * @param ?string $overlay path of the developer's changes; the file need not exist
     * @param bool $maySkip the environment may be one that the file does not name
     * @param bool $loud true: an unusable file is an exception; false: every flag is off
     */
    public function __construct(
        private readonly string $file,
        private readonly string $environment,
        private readonly ?string $overlay,
        private readonly bool $maySkip,
        private readonly bool $loud,
    ) {
    }

    public function name(): string
    {
        return 'file';
    }

    /** Sets the process's file; costs a comparison if it is already set. */
    public function use(): bool
    {
        return Process::useFile($this->file, $this->environment, $this->overlay, $this->maySkip);
    }

    public function enabled(string $flag, int|string|null $company = null, array $context = []): bool
    {
        $this->need();

        return Process::enabled($flag, self::key($company), $context);
    }

    public function peek(string $flag, int|string|null $company = null, array $context = []): bool
    {
        return $this->enabled($flag, $company, $context);
    }

    public function possible(string $flag): bool
    {
        $this->need();

        return Process::possible($flag);
    }

    public function variant(string $flag, int|string|null $company = null, array $context = []): ?string
    {
        $this->need();

        return Process::variant($flag, self::key($company), $context);
    }

    public function value(
        string $flag,
        int|string|null $company = null,
        array $context = [],
        mixed $default = null,
    ): mixed {
        $this->need();

        return Process::value($flag, self::key($company), $context, $default);
    }

    public function explain(string $flag, int|string|null $company = null, array $context = []): array
    {
        $this->need();

        return Process::explain($flag, self::key($company), $context);
    }

    /** @return array<array-key, bool> */
    public function all(int|string|null $company = null, array $context = []): array
    {
        $this->need();

        return Process::all(self::key($company), $context);
    }

    public function filter(string $flag, array $companies, array $context = []): array
    {
        $this->need();

        return \array_filter(
            $companies,
            static fn (int|string|null $company): bool => Process::answer($flag, self::key($company), $context)->on,
        );
    }

    public function needs(string $flag): array
    {
        $this->need();

        return Process::needs($flag);
    }

    public function names(): array
    {
        $this->need();

        return \array_map(strval(...), \array_keys(Process::all(null, [])));
    }

    public function status(): array
    {
        $this->use();

        return Status::all();
    }

    public function refresh(): bool
    {
        $this->use();

        return Process::refresh();
    }

    /** @throws BrokenDefinitions if nothing can be answered, and exceptions are on */
    private function need(): void
    {
        if (!$this->use() && $this->loud && !Process::overridden()) {
            throw BrokenDefinitions::of($this->file, (string) Process::lastError());
        }
    }

    private static function key(int|string|null $company): int|string|null
    {
        return \is_string($company) ? Company::normal($company) : $company;
    }
}
