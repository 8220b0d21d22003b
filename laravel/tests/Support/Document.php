<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

/** A page of the documentation, as tests read it. */
final class Document
{
    private readonly string $text;

    /** @param string $path from the repository's root */
    public function __construct(public readonly string $path)
    {
        $this->text = (string) \file_get_contents(\dirname(__DIR__, 3) . "/$path");
    }

    /** @return list<string> what stands between fences of that language */
    public function blocks(string $language): array
    {
        \preg_match_all("/^( *)```$language\n(.*?)^ *```\$/ms", $this->text, $found, \PREG_SET_ORDER);

        return \array_map(static fn (array $block): string => (string) \preg_replace("/^{$block[1]}/m", '', $block[2]), $found);
    }

    /** @return list<string> what stands between backticks, outside of blocks */
    public function inline(): array
    {
        \preg_match_all('/`([^`\n]+)`/', (string) \preg_replace('/^ *```.*?^ *```$/ms', '', $this->text), $found);

        return \array_values(\array_unique($found[1]));
    }

    /** @return list<array{string, list<string>}> each indented line that runs artisan, and the lines that are shown to follow it */
    public function typed(): array
    {
        $typed = [];
        \preg_match_all('/^    php artisan (.+)\n((?:\n?(?:    (?!php ).*)\n)*)/m', $this->text, $found, \PREG_SET_ORDER);
        foreach ($found as [, $line, $shown]) {
            $lines = \explode("\n", \trim((string) \preg_replace('/^    /m', '', $shown), "\n"));
            $typed[] = [$line, $lines === [''] ? [] : $lines];
        }

        return $typed;
    }
}
