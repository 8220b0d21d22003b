<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Flagstone\Laravel\Value;
use Flagstone\Polyfill\Attributes;
use UnexpectedValueException;

/**
 * A company and its attributes in a form that JSON holds: as they are, or packed where JSON would not give them back, as with keys of 16
 * random bytes, numbers that are not finite, and the float 7.0.
 *
 * Objects are what they stand for at that moment. What cannot be compared is an empty array, which cannot be either; where it was left
 * out, `"exists": false` would hold for it.
 *
 * @internal
 */
final class Portable
{
    private const PACKED = 'packed';

    /**
     * @param array<string, mixed> $context
     * @return array<string, mixed>
     */
    public static function pack(int|string|null $company, array $context): array
    {
        $comparable = \array_filter(\array_map(Attributes::comparable(...), $context), static fn (mixed $value): bool => $value !== null);
        $plain = ['company' => $company, 'context' => $comparable];

        return \json_decode((string) \json_encode($plain), true) !== $plain ? [self::PACKED => \base64_encode(\serialize($plain))] : $plain;
    }

    /**
     * @param array<array-key, mixed> $carried
     * @throws UnexpectedValueException where it is no subject
     */
    public static function unpack(array $carried): Subject
    {
        $packed = $carried[self::PACKED] ?? null;
        if (\is_string($packed)) {
            // Scalars alone, so that nothing is made of what a queue holds.
            $carried = @\unserialize((string) \base64_decode($packed, true), ['allowed_classes' => false]);
        }
        if (!\is_array($carried)) {
            throw new UnexpectedValueException('expected a company and attributes in a job\'s payload, found something else');
        }

        return new Subject(Company::key($carried['company'] ?? null), Value::named($carried, 'context'));
    }
}
