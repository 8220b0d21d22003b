<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Flagstone\Laravel\Extension;

/**
 * The stores that this application names, beside the one that answers. php.ini's flagstone.store is final: where several applications share
 * a php.ini, it is another application's for all but one of them. FLAGSTONE_STORE of a shell wins over .env, and may be another application's
 * as well; a web server started elsewhere does not have it.
 *
 * @internal
 */
final class StoreNames
{
    /**
     * @param ?string $configured the store that .env or the configuration named at the boot; null: none
     * @param ?string $typed the store that the process's environment names
     * @param ?string $written the store that .env names
     */
    public function __construct(
        private readonly ?string $configured,
        private readonly ?string $typed,
        private readonly ?string $written,
        private readonly bool $isCached,
    ) {
    }

    /** A store that this application names while that one answers, so that a change could be meant for either; null if there is none. */
    public function other(string $answering): ?string
    {
        // PHP code may have named another than the configured one since; php.ini's cannot be replaced.
        return self::differing($answering, [
            $this->isCached ? $this->typed : null,
            self::isSame($this->typed, $this->configured) ? $this->written : null,
            Extension::store() !== '' ? $this->configured : null,
        ]);
    }

    /** The same, or the store of .env that a cached configuration does not name. */
    public function otherOrUnread(string $answering): ?string
    {
        return $this->other($answering) ?? self::differing($answering, [$this->isCached ? $this->written : null]);
    }

    /** The difference in a sentence. */
    public function difference(string $answering, string $other): string
    {
        $where = match (true) {
            Extension::store() !== '' => 'php.ini (flagstone.store)',
            $this->isCached => 'the cached configuration',
            default => 'FLAGSTONE_STORE of the environment',
        };
        $by = self::isSame($other, $this->written) ? 'FLAGSTONE_STORE in .env' : 'FLAGSTONE_STORE, or "store" in config/flagstone.php';

        return "$where names the store $answering, which answers here; this application names $other ($by)";
    }

    /** What to write, so that they are the same. */
    public function remedy(string $answering, string $other): string
    {
        $isIni = Extension::store() !== '';
        if (self::isSame($other, $this->typed) && (!$isIni || self::isSame($this->written, $answering))) {
            return ($isIni ? '' : 'php artisan config:cache, or ') . "unset FLAGSTONE_STORE in the shell, where $answering is meant";
        }
        $here = "Where $answering is meant: FLAGSTONE_STORE=$answering in .env";
        if (!$isIni) {
            return 'unset FLAGSTONE_STORE' . ($this->isCached ? ', and php artisan config:cache' : '') . ", where $other is meant. $here";
        }

        return "where several applications share this php.ini, take flagstone.store out of it (php --ini lists its files), and name each one's store in its .env; until then run"
            . ' artisan, queue workers and cron by php -d flagstone.store=' . self::shell($other) . ". $here";
    }

    /** An argument as it is typed. */
    public static function shell(string $argument): string
    {
        return \preg_match('~^[\w./=:,@%+-]+$~D', $argument) === 1 ? $argument : "'" . \str_replace("'", "'\\''", $argument) . "'";
    }

    /** @param list<?string> $named */
    private static function differing(string $answering, array $named): ?string
    {
        foreach ($named as $store) {
            if ($store !== null && !self::isSame($store, $answering)) {
                return $store;
            }
        }

        return null;
    }

    private static function isSame(?string $one, ?string $other): bool
    {
        $path = static fn (string $store): string => @\realpath($store) ?: \rtrim($store, '/');

        return $one !== null && $other !== null && $path($one) === $path($other);
    }
}
