<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

/**
 * Texts that are hardly meant as one company's id: lists, options, numbers of spreadsheets, and ids with characters that nobody sees.
 * The command `flagstone` refuses them as well.
 *
 * @internal
 */
final class CompanyText
{
    public const LIST = "expected one company's id, found what looks like a list";

    /** Characters without a mark of their own, as the command `flagstone` names them; no control characters of ASCII. */
    private const INVISIBLE = '/[\x{80}-\x{9f}\x{ad}\x{34f}\x{61c}\x{115f}\x{1160}\x{17b4}\x{17b5}\x{180b}-\x{180f}\x{200b}-\x{200f}\x{2028}-\x{202e}'
        . '\x{2060}-\x{206f}\x{3164}\x{fe00}-\x{fe0f}\x{feff}\x{ffa0}\x{fff9}-\x{fffb}\x{e0000}-\x{e007f}\x{e0100}-\x{e01ef}]/u';

    private const IN_DATE = '(?:0?[1-9]|[12][0-9]|3[01])';

    private const PROBLEMS = [
        '/^(?!-?[0-9]+$)-?\p{Nd}+$/u' => "expected a company's id, found digits that are not ASCII's",
        '/^--(?=.*\w)|^-\p{L}/u' => 'expected a value, found an option',
        '~^(null|none|nil|undefined|nan|n/a|#n/a|#ref!|#value!|\\\\n)$|^=|^#|^//~i' => "expected a company's id, found a missing value, a formula or a comment",
        '/^(?:true|false)$/iD' => "expected a company's id, found a boolean",
        '/^<|>$/D' => "expected a company's id, found a line of HTML or XML",
        '~^(?:[0-9]{4}[-./]' . self::IN_DATE . '[-./]' . self::IN_DATE . '|(?:' . self::IN_DATE . '[-./]){2}[0-9]{4})(?:[T ].*)?$~D' => "expected a company's id, found a date",
        '/^[^,;|\[{("\']*(?:: |\p{L}[^,;|\[{("\']*:$)/uD' => "expected a company's id, found a label before a colon",
        '/[,;|\s\h\'"\[\]{}()]|^[-+=─┼]{2,}$/u' => self::LIST,
        '/^([+-]?\d+\.\d+(e[+-]?\d+)?|[+-]?\d+e[+-]\d+|\+\d+|[+-]?\d{1,3}([.’_]\d{3})+)$/iu' => "expected a company's id, found a number as a spreadsheet writes it",
        '/[[:cntrl:]]|^[^\p{L}\p{N}]+$/u' => "expected a company's id",
        // Without letters, an id begins and ends with a digit.
        '/^(?=\P{L}+$)(?!-?[0-9](?:.*[0-9])?$)/uD' => "expected a company's id, found a mark beside digits",
    ];

    /**
     * Tells of numbers with leading zeros, which are other companies than the numbers.
     *
     * @param list<int|string> $companies
     * @return list<string>
     */
    public static function zeros(array $companies): array
    {
        $texts = \preg_grep('/^0\d+$/D', \array_filter($companies, is_string(...))) ?: [];

        return \array_values(\array_map(static fn (string $text): string => "$text is a text, and not the company " . (\ltrim($text, '0') ?: '0'), $texts));
    }

    /** The expected and the found; null if the text is an id. */
    public static function problem(string $text): ?string
    {
        if (\preg_match(self::INVISIBLE, $text, $found) === 1) {
            $seen = \trim((string) \preg_replace(self::INVISIBLE, '', $text));

            return \sprintf('expected an id without the invisible character U+%04X', \mb_ord($found[0], 'UTF-8')) . ($seen === '' ? '' : ": $seen");
        }
        foreach (self::PROBLEMS as $pattern => $problem) {
            if (\preg_match($pattern, $text) === 1) {
                return $problem;
            }
        }

        return null;
    }
}
