<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\SafeCall;
use Flagstone\Laravel\Value;
use Flagstone\Polyfill\Attributes;
use Illuminate\Container\Container;
use UnexpectedValueException;

/**
 * Converts a company and its attributes to a form that JSON holds: as they are, or packed if JSON would change them, such as keys
 * of 16 random bytes, numbers that are not finite, and the float 7.0.
 *
 * Objects become their values at that moment. An incomparable one becomes an empty array, which is not comparable either; if it
 * were left out, `"exists": false` would hold for it.
 *
 * @internal
 */
final class Portable
{
    private const PACKED = 'packed';
    private const UNKNOWN = 'unknown';

    /**
     * @param ?array<string, mixed> $context null if the attributes could not be read
     * @return array<string, mixed>
     */
    public static function pack(int|string|null $company, ?array $context): array
    {
        $comparable = $context === null ? null : \array_filter(
            \array_map(Attributes::comparable(...), $context),
            static fn (mixed $value): bool => $value !== null,
        );
        $plain = ['company' => $company, 'context' => $comparable];

        return \json_decode((string) \json_encode($plain), true) !== $plain ? [self::PACKED => \base64_encode(self::serialized($plain))] : $plain;
    }

    /** Serializes without serialize_precision, by which serialize() rounds floats. */
    private static function serialized(mixed $value): string
    {
        if (\is_float($value) && \is_finite($value)) {
            return \sprintf('d:%.17H;', $value);
        }
        if (!\is_array($value)) {
            return \serialize($value);
        }
        $members = \array_map(static fn (int|string $key, mixed $member): string => \serialize($key) . self::serialized($member), \array_keys($value), $value);

        return 'a:' . \count($value) . ':{' . \implode('', $members) . '}';
    }

    /**
     * A subject whose company cannot be determined.
     *
     * @return array<string, mixed>
     */
    public static function unknown(string $problem): array
    {
        return [self::UNKNOWN => $problem];
    }

    /**
     * @param array<array-key, mixed> $carried
     * @throws UnexpectedValueException if it is no subject
     */
    public static function unpack(array $carried): Subject
    {
        $packed = $carried[self::PACKED] ?? null;
        if (\is_string($packed)) {
            // Scalars only, so that no object is made from a queue's data.
            $carried = @\unserialize((string) \base64_decode($packed, true), ['allowed_classes' => false]);
        }
        $problem = \is_array($carried) ? $carried[self::UNKNOWN] ?? null : null;
        if (\is_string($problem)) {
            return Subject::unknown($problem);
        }
        if (!\is_array($carried) || !\array_key_exists('company', $carried) || !\array_key_exists('context', $carried)) {
            throw new UnexpectedValueException('expected a company and attributes in a job\'s payload, found something else');
        }
        $company = Company::key($carried['company']);

        return new Subject($company, $carried['context'] === null ? self::incomparable(...) : Value::named($carried, 'context'));
    }

    /**
     * Every attribute that flags read, as an incomparable one.
     *
     * @return array<string, mixed>
     */
    private static function incomparable(): array
    {
        return SafeCall::or([], static fn (): array => \array_fill_keys(
            (new Subject())->readByAny(Container::getInstance()->make(Flagstone::class)->driver()),
            [],
        ));
    }
}
