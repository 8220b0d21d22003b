<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Pennant;

use LogicException;

/**
 * A write through Pennant to a flag, which is changed only by command, with an audit trail.
 */
final class ManagedExternally extends LogicException
{
    /** @param ?string $answer PHP code of a fake's answer that a test gets the same by */
    private function __construct(string $what, public readonly string $command, string $why = "its features are Flagstone's", ?string $answer = null)
    {
        parent::__construct("Pennant cannot $what: $why. Instead: $command" . ($answer === null ? '' : "; in a test: Flagstone::fake([$answer])"));
    }

    public static function set(string $feature, int|string|null $company, mixed $value): self
    {
        $verb = $value === false ? 'deny' : 'allow';
        if (!\is_bool($value)) {
            return self::value($feature);
        }
        $answer = $value ? 'true' : 'false';

        return new self(
            ($value ? 'activate' : 'deactivate') . " \"$feature\" for one scope",
            "php artisan feature:$verb $feature " . self::company($company),
            answer: "'$feature' => " . ($company === null ? $answer : '[' . \var_export($company, true) . " => $answer]"),
        );
    }

    public static function setForAll(string $feature, mixed $value): self
    {
        if (!\is_bool($value)) {
            return self::value($feature);
        }

        return new self(
            ($value ? 'activate' : 'deactivate') . " \"$feature\" for everyone",
            'php artisan feature:' . ($value ? "enable $feature --percentage=100" : "disable $feature"),
            answer: "'$feature' => " . ($value ? 'true' : 'false'),
        );
    }

    public static function delete(string $feature, int|string|null $company): self
    {
        return new self("forget \"$feature\" for one scope", "php artisan feature:forget $feature " . self::company($company));
    }

    /** A feature that neither Flagstone nor another store has. */
    public static function unknown(string $feature): self
    {
        return new self(
            "change \"$feature\", which no flag defines",
            'add it to flags.json, or name a Pennant store for such features in config/flagstone.php, pennant.fallback',
        );
    }

    /** A feature that is perhaps a flag. */
    public static function undetermined(string $feature, string $problem): self
    {
        return new self("change \"$feature\"", 'php artisan feature:doctor', "whether a flag defines it is not known ($problem)");
    }

    /** @param ?array<array-key, string> $features */
    public static function purge(?array $features): self
    {
        $what = $features === null ? 'all features' : '"' . \implode('", "', $features) . '"';

        return new self("purge $what", 'nothing is stored by scope; remove a flag from flags.json and run php artisan feature:publish');
    }

    private static function company(int|string|null $company): string
    {
        return $company === null ? 'COMPANY' : \escapeshellarg((string) $company);
    }

    private static function value(string $feature): self
    {
        return new self(
            "give \"$feature\" a value",
            "write the variants of \"$feature\" into flags.json and run php artisan feature:publish",
            answer: "'$feature' => new Variant('name', \$value)",
        );
    }
}
