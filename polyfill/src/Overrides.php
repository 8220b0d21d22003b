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
    /** @var array<TestAnswer|array<TestAnswer>> by flag, or by flag and company */
    private array $flags = [];

    /** @param array<array-key, mixed> $answers */
    public function __construct(array $answers, private readonly ?bool $otherwise)
    {
        foreach ($answers as $flag => $answer) {
            if (!\is_array($answer)) {
                $this->flags[$flag] = self::answerOf($answer, (string) $flag);
                continue;
            }
            $this->flags[$flag] = [];
            foreach ($answer as $company => $one) {
                $this->flags[$flag][$company] = self::answerOf($one, (string) $flag);
            }
        }
    }

    /** Answer that was set for that flag and company. */
    public function answer(string $flag, int|string|null $company): ?TestAnswer
    {
        $override = $this->flags[$flag] ?? null;
        if ($override instanceof TestAnswer) {
            return $override;
        }
        if ($override !== null && $company !== null && isset($override[$company])) {
            return $override[$company];
        }

        return $this->otherwise === null ? null : new TestAnswer($this->otherwise);
    }

    /** True if the flag was set to be on for any company. */
    public function possible(string $flag): ?bool
    {
        $override = $this->flags[$flag] ?? null;
        if ($override === null) {
            return $this->otherwise;
        }
        if ($override instanceof TestAnswer) {
            return $override->on;
        }
        foreach ($override as $one) {
            if ($one->on) {
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

    private static function answerOf(mixed $answer, string $flag): TestAnswer
    {
        if (\is_bool($answer)) {
            return new TestAnswer($answer);
        }
        if (\is_string($answer)) {
            return new TestAnswer(true, $answer);
        }
        throw new \TypeError(\sprintf(
            'flagstone_override(): Argument #1 ($answers) must be an array of bool, string (a variant) or array of '
            . 'those by company, %s given for "%s"',
            Company::type($answer),
            $flag,
        ));
    }
}
