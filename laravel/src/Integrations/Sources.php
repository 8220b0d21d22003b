<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Flagstone\Laravel\Queue\RequiresFeature;
use Flagstone\Laravel\Value;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Foundation\Application as LaravelApplication;
use Symfony\Component\Finder\Finder;

/**
 * Finds the places in an application's own files that ask for a flag: by its key, or by the enum case that stands for it. A key that
 * is put together at run time is not found.
 *
 * @internal
 */
final class Sources
{
    /** Code that asks, up to the flag. */
    private const ASKS = '(?:@(?:else|unless)?(?:flagstone(?:peek)?|feature)\s*\(|(?:::|->)(?:enabled|possible|variant|value|explain|filter|hasFeature|feature|featurePossible'
        . '|using|usingAny|for|active|inactive|when|unless)\s*\(|\bfeature_(?:enabled|peek|possible|variant|value|explain|filter|needs)\s*\(|\bnew\s+FeatureEnabled\s*\('
        . '|[\'"]feature:|[\'"]can:feature,'
        . '|\b(?:can|cannot|allows|denies|check|authorize|inspect)\s*\(\s*[\'"]feature[\'"]\s*,)[^;{}\n]{0,200}?';

    public function __construct(private readonly Application $app)
    {
    }

    /** @return array{views: list<string>, jobs: list<string>, code: list<string>} each as file:line from the base path */
    public function mentions(string $flag): array
    {
        $found = ['views' => [], 'jobs' => [], 'code' => []];
        $base = $this->app->basePath() . '/';
        $files = $this->files();
        $pattern = self::ASKS . '(?:' . \implode('|', $this->names($flag, $files)) . ')';
        foreach ($files as $path => $text) {
            // Alternates: text before the first mention, the mention, text between …
            $parts = \preg_split("~($pattern)~", $text, -1, \PREG_SPLIT_DELIM_CAPTURE) ?: [];
            $name = \str_starts_with($path, $base) ? \substr($path, \strlen($base)) : $path;
            $line = 1;
            foreach ($parts as $index => $part) {
                $begins = $line;
                $line += \substr_count($part, "\n");
                if ($index % 2 === 0) {
                    continue;
                }
                $what = match (true) {
                    \str_ends_with($path, '.blade.php') => 'views',
                    \str_contains($part, '::for') && \str_contains($text, RequiresFeature::class) => 'jobs',
                    default => 'code',
                };
                $found[$what][] = "$name:$begins";
            }
        }

        return $found;
    }

    /** @return array<string, string> texts by path, sorted: the application's classes, routes and views */
    private function files(): array
    {
        $views = Value::texts($this->app->make('config')->all(), 'view', 'paths');
        $code = $this->app instanceof LaravelApplication ? $this->app->path() : $this->app->basePath('app');
        $folders = \array_filter([$code, $this->app->basePath('routes'), ...$views], static fn (string $folder): bool => @\is_dir($folder));
        $files = [];
        foreach ($folders === [] ? [] : (new Finder())->files()->name('*.php')->in($folders) as $file) {
            $files[$file->getPathname()] = $file->getContents();
        }
        \ksort($files);

        return $files;
    }

    /**
     * @param array<string, string> $files
     * @return list<string> regular expressions: the key in quotes or in a list of keys, and enums' cases
     */
    private function names(string $flag, array $files): array
    {
        $key = \preg_quote($flag, '~');
        $names = ["(?<![\\w.:\\\\-])$key(?![\\w.:\\\\-])"];
        foreach ($files as $text) {
            $enum = $case = [];
            if (\preg_match('~\benum\s+(\w+)~', $text, $enum) === 1 && \preg_match("~\\bcase\\s+(\\w+)\\s*=\\s*['\"]{$key}['\"]~", $text, $case) === 1) {
                $names[] = "\\b$enum[1]::$case[1]\\b";
            }
        }

        return $names;
    }
}
