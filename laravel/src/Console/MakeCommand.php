<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Changes\EnumCase;
use Flagstone\Laravel\Changes\Json;
use Flagstone\Laravel\Value;
use Flagstone\Polyfill\File\Document;
use RuntimeException;
use stdClass;

final class MakeCommand extends FlagCommand
{
    protected $signature = 'feature:make
        {flag : The new flag\'s key}
        {--owner= : Whom to ask about it}
        {--expires= : The day after which it should be gone: 2027-03-31}
        {--description= : What it is}
        {--enum= : A backed enum of strings that gets a case for it}
        {--dry-run : Show what would be added, and write nothing}
        {--json : Print JSON}';

    protected $description = 'Add a flag to flags.json, off, and a case to an enum';

    public function handle(Binary $binary): int
    {
        $file = $this->config()->file($this->laravel);
        try {
            $enum = $this->text('enum');
            $enum = $enum === null ? null : EnumCase::for($enum, $this->flag());
            $added = $binary->path() === null ? $this->add($file) : $this->addByCommand($binary, $file);
            $this->option('dry-run') || $enum?->write();
        } catch (RuntimeException $error) {
            return $this->refuse($error->getMessage());
        }
        if ($this->isJson()) {
            $this->json(['flag' => $this->flag(), 'file' => $file, 'enum' => $enum?->file, 'case' => $enum?->name]);

            return 0;
        }
        $this->line($added);
        if ($enum !== null) {
            $this->line("{$this->text('enum')}::{$enum->name} " . ($this->option('dry-run') ? 'would be ' : '') . "added to {$enum->file}");
        }

        return 0;
    }

    private function addByCommand(Binary $binary, string $file): string
    {
        $options = $this->typedOptions('owner', 'expires', 'description', 'dry-run');
        $result = $binary->run(['add', "--file=$file", ...$options, '--', $this->flag()]);

        return $result->code === 0 ? $result->text : throw new RuntimeException($result->error);
    }

    private function add(string $file): string
    {
        if (!Document::isKey($this->flag())) {
            throw new RuntimeException(\sprintf(Document::KEY_ERROR, $this->flag()));
        }
        $day = $this->text('expires');
        $read = $day === null ? false : \date_create_immutable_from_format('!Y-m-d', $day);
        if ($day !== null && ($read === false || $read->format('Y-m-d') !== $day)) {
            throw new RuntimeException("found \"$day\", expected a day as 2027-03-31");
        }
        $document = Json::read($file)
            ?? throw new RuntimeException("there is no $file yet: php artisan feature:install");
        $flags = Value::object($document, 'flags') ?? new stdClass();
        if (isset($flags->{$this->flag()})) {
            throw new RuntimeException("there is a flag \"{$this->flag()}\" already; nothing was changed");
        }
        $texts = [
            'description' => $this->text('description'),
            'owner' => $this->text('owner'),
            'expires' => $day,
        ];
        $said = \array_filter($texts, static fn (?string $text): bool => $text !== null);
        $flags->{$this->flag()} = (object) (['enabled' => false] + $said);
        $document->flags = $flags;
        if ($this->option('dry-run')) {
            return "{$this->flag()}: would be new, off";
        }
        Json::writeFlags($file, $document, [$this->flag() => $flags->{$this->flag()}]);

        return "{$this->flag()}: new, off";
    }
}
