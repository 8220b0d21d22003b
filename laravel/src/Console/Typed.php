<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Symfony\Component\Console\Input\InputDefinition;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;

/**
 * Refuses values that were hardly meant: a shell variable that was empty, an option that lost its value, a list where one id is
 * expected. Each of them would widen a change, most of all to everybody.
 *
 * @internal
 */
final class Typed
{
    /** Options and arguments that are a company's id. */
    private const IDS = ['company'];

    /** The words of `feature` whose value is a company's id. */
    private const OF_COMPANIES = ['allow', 'deny', 'forget'];

    public function __construct(private readonly InputDefinition $definition, private readonly InputInterface $input)
    {
    }

    /** What is wrong, and what to type instead; null where nothing is. */
    public function problem(): ?string
    {
        foreach ($this->definition->getOptions() as $option) {
            $problem = $option->acceptValue() ? $this->ofOption($option) : null;
            if ($problem !== null) {
                return $problem;
            }
        }
        foreach ($this->definition->getArguments() as $argument) {
            $name = $argument->getName();
            foreach ((array) $this->input->getArgument($name) as $value) {
                $problem = $this->ofValue($value, "the $name", $this->isId($name));
                if ($problem !== null) {
                    return $problem;
                }
            }
        }

        return null;
    }

    private function ofOption(InputOption $option): ?string
    {
        $name = "--{$option->getName()}";
        if (!$this->input->hasParameterOption($name, true)) {
            return null;
        }
        $given = $this->input->getOption($option->getName());
        $values = \is_array($given) ? $given : [$given];
        if ($values === [] || \in_array(null, $values, true)) {
            return "$name has no value: give it one ($name=VALUE), or leave it out";
        }
        foreach ($values as $value) {
            $problem = $this->ofValue($value, $name, $this->isId($option->getName()));
            if ($problem !== null) {
                return $problem;
            }
        }

        return null;
    }

    private function ofValue(mixed $value, string $what, bool $isId): ?string
    {
        if (!\is_string($value)) {
            return null;
        }
        if (\trim($value) === '') {
            return "$what is empty: give it a value, or leave it out";
        }
        if ($isId && $this->definition->hasOption('literal') && $this->input->getOption('literal')) {
            return null;
        }
        // Other arguments are looked up, and an option is none of what there is.
        $isOption = ($isId || \str_starts_with($what, '--')) && \preg_match('/^--[a-z]/', $value) === 1;
        $literal = $isId ? ', or add --literal where the id is that text' : '';
        if ($isOption) {
            return "$what is \"$value\", expected a value, found an option$literal";
        }
        if ($isId && \preg_match('/[,;|\s\'"\[\]{}()]/', $value) === 1) {
            $each = \str_starts_with($what, '--') ? 'give the option once for each company (--company=15 --company=42)' : 'give each company by itself (15 42)';

            return "$what is \"$value\", expected one company's id, found what looks like a list: $each$literal";
        }

        return null;
    }

    private function isId(string $name): bool
    {
        // `feature allow KEY 15`: the value is a company's, elsewhere a percentage.
        return \in_array($name, self::IDS, true)
            || $name === 'value' && $this->definition->hasArgument('action') && \in_array($this->input->getArgument('action'), self::OF_COMPANIES, true);
    }
}
