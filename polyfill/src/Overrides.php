<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Answers that a test set for this process.
 *
 * @internal
 */
final class Overrides
{
    /** @var array<Choice|array<Choice>> by flag, or by flag and company */
    private array $flags = [];

    /** @param array<array-key, mixed> $answers */
    public function __construct(array $answers, private readonly ?bool $otherwise)
    {
        foreach ($answers as $flag => $answer) {
            if (!\is_array($answer)) {
                $this->flags[$flag] = self::choice($answer, (string) $flag);
                continue;
            }
            $this->flags[$flag] = [];
            foreach ($answer as $company => $choice) {
                $this->flags[$flag][$company] = self::choice($choice, (string) $flag);
            }
        }
    }

    /** Answer that was set for that flag and company. */
    public function answer(string $flag, int|string|null $company): ?Choice
    {
        $told = $this->flags[$flag] ?? null;
        if ($told instanceof Choice) {
            return $told;
        }
        if ($told !== null && $company !== null && isset($told[$company])) {
            return $told[$company];
        }

        return $this->otherwise === null ? null : new Choice($this->otherwise);
    }

    /** True if the flag was set to be on for any company. */
    public function possible(string $flag): ?bool
    {
        $told = $this->flags[$flag] ?? null;
        if ($told === null) {
            return $this->otherwise;
        }
        if ($told instanceof Choice) {
            return $told->on;
        }
        foreach ($told as $choice) {
            if ($choice->on) {
                return true;
            }
        }

        return $this->otherwise === true;
    }

    /** @return list<string> the named flags */
    public function flags(): array
    {
        return \array_map('strval', \array_keys($this->flags));
    }

    private static function choice(mixed $answer, string $flag): Choice
    {
        if (\is_bool($answer)) {
            return new Choice($answer);
        }
        if (\is_string($answer)) {
            return new Choice(true, $answer);
        }
        throw new \TypeError(\sprintf(
            'flagstone_override(): Argument #1 ($answers) must be an array of bool, string (a variant) or array of '
            . 'those by company, %s given for "%s"',
            Company::type($answer),
            $flag,
        ));
    }
}
