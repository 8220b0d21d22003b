<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class DisableCommand extends FlagCommand
{
    protected $signature = 'feature:disable
        {flag : The flag\'s key}
        {--company=* : For this company only}
        {--reason= : Why, for the audit trail}
        {--expect-generation= : Refuse unless this generation is still the current one}
        {--dry-run : Show what would change, and change nothing}
        {--json : Print JSON}' . self::LITERAL . self::BY . self::REACH . self::YES;

    protected $description = 'Turn a flag off: for everybody, or for companies';

    public function handle(Changer $changer): int
    {
        return $this->change($changer, 'disable', ['companies' => $this->listed($this->option('company'))]);
    }
}
