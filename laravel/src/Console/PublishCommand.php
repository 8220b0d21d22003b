<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class PublishCommand extends FlagCommand
{
    private const OPTIONS = ['expect-generation', 'release', 'reason', 'reset', 'settle', 'keep', 'prune', 'mark-newest', 'check-drift', 'dry-run'];

    protected $signature = 'feature:publish
        {file? : The definitions; without it, those that config/flagstone.php names}
        {--expect-generation= : Refuse unless this generation is still the current one}
        {--reset=* : Take this field from the file, overriding what was changed where it runs: KEY.FIELD, KEY or all}
        {--settle=* : Keep this field as it runs, which answers the edit in the file: KEY.FIELD, KEY or all}
        {--keep : Publish everything but the fields in conflict, which stay as they run and stay listed}
        {--prune : Remove flags that the file no longer has and that are off for everybody}
        {--release= : The release that the file belongs to: a commit, or a number that grows; an older one turns nothing}
        {--mark-newest : That release is the newest, whatever was published before}
        {--check-drift : Publish nothing; fail if what runs is not what the file says}
        {--reason= : Why, for the audit trail}
        {--dry-run : Show what would change, and change nothing}
        {--yes : Do not ask, however many it turns off, and take a file that lacks more than half of the flags}
        {--json : Print JSON}' . self::BY . self::REACH;

    protected $description = 'Check, compile and publish flags.json as a new generation';

    public function handle(Changer $changer): int
    {
        $options = $this->typedOptions(...self::OPTIONS);
        $file = $this->word('file') ?? $this->config()->file($this->laravel);

        return $this->relay($changer, ['publish', ...$options, '--', $file]);
    }
}
