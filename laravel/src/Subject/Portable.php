<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Flagstone\Laravel\Value;
use UnexpectedValueException;

/**
 * A company and its attributes in a form that JSON holds: as they are, or packed where a text is not UTF-8 or a number not finite,
 * as with keys of 16 random bytes.
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
        $plain = ['company' => $company, 'context' => $context];

        return \json_encode($plain) === false ? [self::PACKED => \base64_encode(\serialize($plain))] : $plain;
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
