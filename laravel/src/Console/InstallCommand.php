<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Json;
use Flagstone\Laravel\Config;
use Flagstone\Laravel\Replacement;
use RuntimeException;
use stdClass;

final class InstallCommand extends FlagCommand
{
    protected $signature = 'feature:install
        {--force : Write config/flagstone.php anew, although it is there}
        {--json : Print JSON}';

    protected $description = 'Write config/flagstone.php and flags.json, and keep local changes out of git';

    private const SCHEMA = 'vendor/flagstone/laravel/flags.schema.json';

    public function handle(): int
    {
        $config = $this->config();
        $done = [];
        try {
            $path = $this->laravel->configPath('flagstone.php');
            $done[] = $this->write($path, (bool) $this->option('force'), static fn (): string => (string)
                \file_get_contents(__DIR__ . '/../../config/flagstone.php'));
            $done[] = $this->write($config->file($this->laravel), false, static fn (): string => Json::text((object) [
                '$schema' => self::SCHEMA,
                'flags' => new stdClass(),
            ]) . "\n");
            $done[] = $this->ignore(\basename($config->path('overlay', $this->laravel) ?? ''));
        } catch (RuntimeException $error) {
            return $this->refuse($error->getMessage());
        }
        $next = $this->next($config);
        if ($this->isJson()) {
            $this->json(['done' => $done, 'next' => $next]);

            return 0;
        }
        foreach ([...$done, '', ...$next] as $line) {
            $this->line($line);
        }

        return 0;
    }

    /** @param callable(): string $content */
    private function write(string $path, bool $again, callable $content): string
    {
        $name = $this->named($path);
        if (@\is_file($path) && !$again) {
            return "$name is there already";
        }
        Replacement::keeping($path, $content());

        return "$name written";
    }

    private function ignore(string $overlay): string
    {
        $path = $this->laravel->basePath('.gitignore');
        $text = @\is_file($path) ? (string) @\file_get_contents($path) : '';
        if (\preg_match('~^/?' . \preg_quote($overlay, '~') . '\s*$~m', $text) === 1) {
            return ".gitignore has /$overlay already";
        }
        $text .= $text === '' || \str_ends_with($text, "\n") ? '' : "\n";
        Replacement::keeping($path, "$text/$overlay\n");

        return ".gitignore: /$overlay added";
    }

    /** @return list<string> */
    private function next(Config $config): array
    {
        $file = $this->named($config->file($this->laravel));
        $store = $this->named($config->store($this->laravel) ?? '');

        return [
            'Next, a flag:         php artisan feature:make customer_portal --owner=portal-team',
            "here only:            php artisan feature:enable customer_portal   ($file stays as it is)",
            'on a route:           ->middleware(\'feature:customer_portal\')',
            "Once on each server:  flagstone init $store --environment production",
            'in each deploy:       php artisan feature:publish',
        ];
    }

    private function named(string $path): string
    {
        $base = $this->laravel->basePath() . '/';

        return \str_starts_with($path, $base) ? \substr($path, \strlen($base)) : $path;
    }
}
