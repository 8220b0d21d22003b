<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use InvalidArgumentException;

/**
 * A change to one flag, in the values that were typed.
 */
final class Change
{
    public const COMMANDS = ['enable', 'disable', 'rollout', 'allow', 'deny', 'forget'];

    public readonly ?string $percentage;

    /** @var list<int|string> in the form of array keys: "42" is 42, "042" a string */
    public readonly array $companies;

    /**
     * @param string $command one of COMMANDS
     * @param ?string $percentage 0 to 100 with up to three decimals
     * @param list<int|string> $companies
     * @param ?int $base refused unless this generation is still the current one
     * @param list<string> $options further ones of the command, such as --yes
     * @throws InvalidArgumentException if the percentage or a company is not valid
     */
    public function __construct(
        public readonly string $command,
        public readonly string $flag,
        ?string $percentage = null,
        array $companies = [],
        public readonly ?string $reason = null,
        public readonly bool $dryRun = false,
        public readonly ?int $base = null,
        public readonly array $options = [],
    ) {
        $this->companies = self::companies($companies);
        // "33.5 %" is valid, as in the command.
        $percentage = $percentage === null ? null : (string) \preg_replace('/\s*%$/D', '', \trim($percentage));
        $this->percentage = $percentage;
        $sound = $percentage === null
            || (\preg_match('/^\d{1,3}(\.\d{1,3})?$/D', $percentage) === 1 && \is_numeric($percentage) && $percentage <= 100);
        if (!$sound) {
            throw new InvalidArgumentException(
                "found the percentage \"$percentage\", expected a number from 0 to 100 with up to three decimals",
            );
        }
    }

    public function dry(): self
    {
        return $this->with(true, $this->base, $this->options);
    }

    public function on(?int $base): self
    {
        return $this->with($this->dryRun, $base, $this->options);
    }

    /** Returns the confirmed change, which asks no more questions. */
    public function sure(): self
    {
        return $this->with($this->dryRun, $this->base, [...$this->options, '--yes']);
    }

    /** @param list<string> $options */
    private function with(bool $dryRun, ?int $base, array $options): self
    {
        return new self(
            $this->command,
            $this->flag,
            $this->percentage,
            $this->companies,
            $this->reason,
            $dryRun,
            $base,
            $options,
        );
    }

    /** True if it may turn the flag on for all companies; without a percentage, that depends on the flag's earlier state. */
    public function isForAll(): bool
    {
        return $this->command === 'enable' && ($this->percentage === null ? $this->companies === [] : (float) $this->percentage === 100.0);
    }

    /** @return list<string> the arguments of the command `flagstone` */
    public function arguments(): array
    {
        $arguments = [$this->command];
        if (\in_array($this->command, ['enable', 'disable'], true)) {
            foreach ($this->companies as $company) {
                $arguments[] = "--company=$company";
            }
            if ($this->percentage !== null) {
                $arguments[] = "--percentage=$this->percentage";
            }
        }
        if ($this->dryRun) {
            $arguments[] = '--dry-run';
        }
        if ($this->reason !== null && \trim($this->reason) !== '') {
            $arguments[] = "--reason=$this->reason";
        }
        if ($this->base !== null) {
            $arguments[] = "--expect-generation=$this->base";
        }
        // Ids from PHP code and checked input are literal; those that a file lists were not checked.
        if (\array_filter($this->companies, 'is_string') !== [] && \preg_grep('/^--from-file/', $this->options) === []) {
            $arguments[] = '--literal';
        }
        \array_push($arguments, ...\array_unique($this->options));
        // The rest is never an option, whatever it begins with.
        \array_push($arguments, '--', $this->flag);
        if ($this->command === 'rollout') {
            $arguments[] = (string) $this->percentage;
        }

        return \in_array($this->command, ['allow', 'deny', 'forget'], true)
            ? [...$arguments, ...\array_map(strval(...), $this->companies)]
            : $arguments;
    }

    /**
     * @param list<int|string> $companies
     * @return list<int|string>
     */
    private static function companies(array $companies): array
    {
        $keys = [];
        foreach ($companies as $company) {
            $length = \strlen((string) $company);
            if ($length < 1 || $length > 1024) {
                throw new InvalidArgumentException("found a company's id of $length bytes, expected 1 to 1,024");
            }
            $keys[$company] = true;
        }

        return \array_keys($keys);
    }
}
