<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

/**
 * What came of a change, or of asking for one.
 */
final class Result
{
    /** Yes, or done. */
    public const DONE = 0;
    /** No, or refused. */
    public const REFUSED = 1;
    /** Could not tell. */
    public const UNKNOWN = 2;
    /** Done here, but not on every machine that the store's config declares. */
    public const ELSEWHERE = 3;

    /**
     * @param int $code one of the four
     * @param string $text what to tell: sentences, or one JSON document where that was asked for
     * @param string $error what went wrong, and what to do about it; warnings too
     * @param bool $asks whether it was refused only because nobody has said yes
     */
    public function __construct(
        public readonly int $code,
        public readonly string $text,
        public readonly string $error = '',
        public readonly bool $asks = false,
    ) {
    }

    public static function refused(string $error): self
    {
        return new self(self::REFUSED, '', $error);
    }

    /** Refused because nobody has said yes. */
    public static function unanswered(string $problem): self
    {
        return new self(self::REFUSED, '', "$problem; nothing was changed. With --yes it is done", true);
    }

    public static function unknown(string $error): self
    {
        return new self(self::UNKNOWN, '', $error);
    }

    /** With something else to tell about it. */
    public function warning(string $warning): self
    {
        return new self($this->code, $this->text, \trim("$warning\n$this->error"), $this->asks);
    }

    /** Whether it was done, here at least. */
    public function isDone(): bool
    {
        return \in_array($this->code, [self::DONE, self::ELSEWHERE], true);
    }

    /**
     * The document that the text is; empty if it is none.
     *
     * @return array<array-key, mixed>
     */
    public function data(): array
    {
        $data = \json_decode($this->text, true);

        return \is_array($data) ? $data : [];
    }
}
