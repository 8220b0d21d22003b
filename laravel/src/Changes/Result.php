<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

/**
 * Result of a change, or of a question about one.
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
     * @param string $text output: sentences, or one JSON document if that was asked for
     * @param string $error errors and their remedies; warnings too
     * @param bool $asks true if it was refused only for lack of a confirmation
     * @param bool $ran true if the command `flagstone` ran, which says itself what it left undone
     */
    public function __construct(
        public readonly int $code,
        public readonly string $text,
        public readonly string $error = '',
        public readonly bool $asks = false,
        public readonly bool $ran = true,
    ) {
    }

    public static function refused(string $error): self
    {
        return new self(self::REFUSED, '', $error, false, false);
    }

    /** A refusal for lack of a confirmation. */
    public static function unanswered(string $problem): self
    {
        return new self(self::REFUSED, '', "$problem; nothing was changed. With --yes it is done", true);
    }

    public static function unknown(string $error): self
    {
        return new self(self::UNKNOWN, '', $error, false, false);
    }

    /** Adds a warning. */
    public function warning(string $warning): self
    {
        return new self($this->code, $this->text, \trim("$warning\n$this->error"), $this->asks, $this->ran);
    }

    /**
     * Decodes the text as a JSON document; empty if it is none.
     *
     * @return array<array-key, mixed>
     */
    public function data(): array
    {
        $data = \json_decode($this->text, true);

        return \is_array($data) ? $data : [];
    }
}
