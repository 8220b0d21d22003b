<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

/**
 * A place in the text of a valid JSON document, which moves past its values.
 */
abstract class JsonCursor
{
    private const SPACE = " \t\r\n";

    protected int $at = 0;

    final protected function __construct(protected readonly string $text)
    {
    }

    /** Moves past a member's name, its colon and the space behind, and returns the name. */
    protected function name(): string
    {
        $begin = $this->at;
        $this->value();
        $name = (string) \json_decode(\substr($this->text, $begin, $this->at - $begin));
        $this->skip();
        $this->at++;
        $this->skip();

        return $name;
    }

    /** Moves past one value. */
    protected function value(): void
    {
        $depth = 0;
        do {
            $byte = $this->text[$this->at] ?? '';
            if ($byte === '"') {
                \preg_match('/"(?:[^"\\\\]|\\\\.)*+"/As', $this->text, $found, 0, $this->at);
                $this->at += \strlen($found[0] ?? '"');
            } elseif (\strpbrk($byte, '{[}]') !== false) {
                $depth += \in_array($byte, ['{', '['], true) ? 1 : -1;
                $this->at++;
            } else {
                $this->at += \max(1, \strcspn($this->text, '{}[]",' . ($depth === 0 ? self::SPACE : ''), $this->at));
            }
        } while ($depth > 0 && $this->at < \strlen($this->text));
    }

    protected function skip(): void
    {
        $this->at += \strspn($this->text, self::SPACE, $this->at);
    }
}
