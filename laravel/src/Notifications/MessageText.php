<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Notifications;

use Flagstone\Laravel\Events\FlagChanged;
use Flagstone\Laravel\Value;

/**
 * Text of a change, for templates. Reason and user are unchanged input of people.
 */
final class MessageText
{
    /** Maximum flags of a publish that are named, and maximum differences that are shown. */
    private const FLAGS = 5;
    private const DIFFERENCES = 20;

    public function __construct(private readonly FlagChanged $change)
    {
    }

    /** Text on one line: production: kill portal. */
    public function subject(): string
    {
        return (string) \preg_replace('/[\x00-\x1f\x7f]+/', ' ', "{$this->change->environment}: {$this->what()}");
    }

    /** Action and flags: kill portal; publish: a, b, c, d, e and 3 more. */
    public function what(): string
    {
        $command = \str_replace('_', '-', $this->change->action);
        if ($this->change->flag !== null) {
            return "$command {$this->change->flag}";
        }
        $flags = $this->flags();
        $more = \count($flags) - self::FLAGS;

        return $flags === [] ? $command : "$command: " . \implode(', ', \array_slice($flags, 0, self::FLAGS)) . ($more > 0 ? " and $more more" : '');
    }

    /** User and machine: alice@web-1. Of a person whom a request named: alice, claimed (www-data@web-1). */
    public function who(): string
    {
        if ($this->change->claimed) {
            return "{$this->change->user}, claimed (" . ($this->change->account ?? $this->change->user) . "@{$this->change->machine})";
        }

        return "{$this->change->user}@{$this->change->machine}";
    }

    /** @return list<string> flags that differ, each once */
    public function flags(): array
    {
        $flags = [];
        foreach ($this->change->differences as $difference) {
            $flags[Value::text($difference, 'flag') ?? ''] = true;
        }
        unset($flags['']);

        return \array_map(strval(...), \array_keys($flags));
    }

    /** @return list<string> the first 20, such as: portal /rollout/percentage: 10 → 20 */
    public function differences(): array
    {
        $lines = [];
        foreach (\array_slice($this->change->differences, 0, self::DIFFERENCES) as $difference) {
            $flag = Value::text($difference, 'flag') ?? '';
            $field = (string) \preg_replace('~^/(?:flags|segments)/[^/]*~', '', Value::text($difference, 'pointer') ?? '');
            $lines[] = \trim("$flag $field") . ': ' . self::shown($difference, 'before') . ' → ' . self::shown($difference, 'after');
        }
        $more = \count($this->change->differences) - self::DIFFERENCES;

        return $more > 0 ? [...$lines, "and $more more"] : $lines;
    }

    /** Escapes text for Slack: no link, no markup, no mention. */
    public static function safeForSlack(string $text): string
    {
        $joiner = "\u{2060}";
        $text = \strtr($text, [
            '&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '@' => "@$joiner",
            '*' => "$joiner*", '_' => "{$joiner}_", '~' => "$joiner~", '`' => "$joiner`",
        ]);

        return (string) \preg_replace('/[\x00-\x1f\x7f]/', ' ', $text);
    }

    /** @param array<array-key, mixed> $difference */
    private static function shown(array $difference, string $side): string
    {
        if (!\array_key_exists($side, $difference)) {
            return 'nothing';
        }
        $text = (string) \json_encode($difference[$side], \JSON_UNESCAPED_SLASHES | \JSON_UNESCAPED_UNICODE | \JSON_INVALID_UTF8_SUBSTITUTE);

        return \mb_strlen($text) > 200 ? \mb_substr($text, 0, 200) . '…' : $text;
    }
}
