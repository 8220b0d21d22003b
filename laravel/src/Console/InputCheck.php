<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\CompanyText;
use Flagstone\Laravel\Changes\Json;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Subject\Company;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Contracts\Queue\QueueableEntity;
use InvalidArgumentException;
use Symfony\Component\Console\Input\ArrayInput;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputDefinition;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use UnitEnum;

/**
 * Refuses values that were hardly meant: an empty shell variable, an option that lost its value, a list instead of one id. Each
 * would widen a change, most of all to all companies. Other types from Artisan::call(), such as a number or a model, become the
 * text that would be typed, or are refused.
 *
 * @internal
 */
final class InputCheck
{
    /** Options and arguments whose value is a company's id. */
    private const IDS = ['company'];

    /** Options and arguments whose value is a file that the command `flagstone` opens. */
    private const FILES = ['--from-file', '--count-for', 'the file'];

    private const MAX_LINKS = 8;

    private const STANDARD_INPUT = '#^(-|/+dev/+(stdin|fd/+0)|/+proc/+(self|thread-self|\d+)/+fd/+0)$#D';

    /** Actions of `feature` whose value is a company's id. */
    private const OF_COMPANIES = ['allow', 'deny', 'forget'];

    /** @param list<string> $required mandatory options */
    public function __construct(
        private readonly InputDefinition $definition,
        private readonly InputInterface $input,
        private readonly array $required = [],
    ) {
    }

    /** Returns the mistake and its remedy; null if there is none, and then every value is a text, a list of texts, or a bool. */
    public function problem(): ?string
    {
        try {
            foreach ($this->definition->getOptions() as $option) {
                if ($this->input->hasParameterOption("--{$option->getName()}", true)) {
                    $option->acceptValue() ? $this->readOption($option) : $this->readSwitch($option);
                }
            }
            foreach ($this->definition->getArguments() as $argument) {
                $this->readArgument($argument);
            }
        } catch (InvalidArgumentException $problem) {
            return $problem->getMessage();
        }

        return null;
    }

    private function readOption(InputOption $option): void
    {
        $name = $option->getName();
        $texts = $this->texts($this->input->getOption($name), "--$name", $option->isArray(), $this->isId($name));
        $this->input->setOption($name, $option->isArray() ? $texts : $texts[0]);
    }

    /** Checks an option without a value: `--yes => 'false'` of Artisan::call() is no yes. */
    private function readSwitch(InputOption $option): void
    {
        $name = $option->getName();
        $given = $this->input->getOption($name);
        if ($name === 'verbose' || $given === null || \is_bool($given)) {
            return;
        }
        if (!\in_array($given, [0, 1, '0', '1'], true)) {
            throw new InvalidArgumentException("--$name is " . self::shown($given) . ', expected true or false');
        }
        $this->input->setOption($name, (bool) $given);
    }

    private function readArgument(InputArgument $argument): void
    {
        $name = $argument->getName();
        $given = $this->input->getArgument($name);
        // A null from Artisan::call() does not count as left out: `feature emergency-disable` without its flag stops every flag.
        $isGiven = $this->input instanceof ArrayInput && $this->input->hasParameterOption($name, true);
        if (!$isGiven && ($given === null || $given === [])) {
            return;
        }
        $texts = $this->texts($given, "the $name", $argument->isArray(), $this->isId($name));
        $this->input->setArgument($name, $argument->isArray() ? $texts : $texts[0]);
    }

    /**
     * Returns the values as texts: Artisan::call() passes any PHP value.
     *
     * @return non-empty-list<string>
     */
    private function texts(mixed $given, string $what, bool $isList, bool $isId): array
    {
        if (\is_array($given) && !$isList) {
            throw new InvalidArgumentException($given === [] ? $this->missing($what) : "$what is " . self::shown($given) . ', expected one value');
        }
        $texts = [];
        foreach (\is_array($given) ? $given : [$given] as $value) {
            $text = $this->text($value, $what, $isId);
            $problem = $this->ofValue($text, $what, $isId);
            if ($problem !== null) {
                throw new InvalidArgumentException($problem);
            }
            $texts[] = $text;
        }

        return $texts !== [] ? $texts : throw new InvalidArgumentException($this->missing($what));
    }

    private function text(mixed $value, string $what, bool $isId): string
    {
        if ($value === null) {
            throw new InvalidArgumentException($this->missing($what));
        }
        if (\is_string($value) || \is_int($value)) {
            return (string) $value;
        }
        if (\is_float($value) && \is_finite($value)) {
            return \floor($value) === $value && \abs($value) < 1e15 ? (string) (int) $value : Json::text($value);
        }
        if (\is_object($value)) {
            try {
                return (string) match (true) {
                    !$isId && $value instanceof UnitEnum => Flagstone::key($value),
                    // A model's text is its JSON.
                    !$isId && $value instanceof QueueableEntity => throw new InvalidArgumentException(),
                    $isId => Subject::of($value)->company ?? throw new InvalidArgumentException(),
                    default => Company::key($value),
                };
            } catch (InvalidArgumentException $problem) {
                $why = $isId && $problem->getMessage() !== '' ? ". {$problem->getMessage()}" : '';
                throw new InvalidArgumentException("$what is " . self::shown($value) . ', expected ' . ($isId ? 'a company or its id' : 'a text or a number') . $why);
            }
        }

        throw new InvalidArgumentException("$what is " . self::shown($value) . ', expected ' . ($isId ? 'a company\'s id' : 'a text or a number'));
    }

    /** True for a link to it, too. The command's standard input carries the companies of config/flagstone.php, which are not the list. */
    private static function isStandardInput(string $path): bool
    {
        for ($links = 0; $links < self::MAX_LINKS && \preg_match(self::STANDARD_INPUT, $path) !== 1; $links++) {
            $path = @\is_link($path) ? (string) @\readlink($path) : '';
        }

        return \preg_match(self::STANDARD_INPUT, $path) === 1;
    }

    private function missing(string $what): string
    {
        $name = \ltrim($what, '-');

        return "$what has no value: give it one (" . ($name === $what ? $what : "$what=VALUE") . ')' . $this->orLeft($what);
    }

    private function orLeft(string $what): string
    {
        return \in_array($what, $this->required, true) ? '' : ', or leave it out';
    }

    private static function shown(mixed $value): string
    {
        return \is_bool($value) || \is_string($value) ? \var_export($value, true) : (\is_array($value) ? 'a list' : \get_debug_type($value));
    }

    private function ofValue(string $value, string $what, bool $isId): ?string
    {
        if (\trim($value) === '') {
            return "$what is empty: give it a value" . $this->orLeft($what);
        }
        if (\in_array($what, self::FILES, true) && self::isStandardInput($value)) {
            return "$what is \"$value\", expected a file: artisan does not hand on its standard input. Save the list, or pipe it into the command flagstone itself";
        }
        if ($isId && $this->definition->hasOption('literal') && $this->input->getOption('literal')) {
            return null;
        }
        $problem = $isId ? CompanyText::problem($value) : null;
        if ($problem !== null) {
            $each = \str_starts_with($what, '--') ? 'give the option once for each company (--company=15 --company=42)' : 'give each company by itself (15 42)';
            $shown = \preg_match('/^[ -~]*$/D', $value) === 1 ? "\"$value\"" : Json::text($value);

            return "$what is $shown, $problem" . ($problem === CompanyText::LIST ? ": $each" : '') . ', or add --literal where the id is that text';
        }
        // Other arguments are looked up, and so cannot be an option by mistake.
        if (\str_starts_with($what, '--') && \preg_match('/^--[a-z]/', $value) === 1) {
            return "$what is \"$value\", expected a value, found an option";
        }

        return null;
    }

    private function isId(string $name): bool
    {
        // `feature allow KEY 15`: here the value is a company's id, in other actions a percentage.
        return \in_array($name, self::IDS, true)
            || $name === 'value' && $this->definition->hasArgument('action') && \in_array($this->input->getArgument('action'), self::OF_COMPANIES, true);
    }
}
