<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class PlanCommand extends FlagCommand
{
    private const SUBCOMMANDS = ['show', 'start', 'hold', 'resume', 'advance', 'abort'];

    protected $signature = 'feature:plan
        {subcommand : show, start, hold, resume, advance or abort}
        {flag? : The flag\'s key; show without one tells of all plans}
        {--reason= : Why, for the audit trail}
        {--stage= : Of resume and advance: enter this stage. Without it, resume goes on from what is on now, and advance enters the next}
        {--wait= : Of start, resume and advance: wait until the plan is through or held, for this long at most, such as 30m}
        {--expect-generation= : Refuse unless this generation is still the current one}
        {--dry-run : Show what would change, and change nothing}
        {--json : Print JSON}' . self::BY . self::REACH . self::YES;

    protected $description = 'Move a flag\'s rollout plan, or show how far it is';

    public function handle(Changer $changer): int
    {
        $subcommand = $this->word('subcommand') ?? '';
        if (!\in_array($subcommand, self::SUBCOMMANDS, true)) {
            return $this->refuse("There is no feature:plan $subcommand; there are " . \implode(', ', self::SUBCOMMANDS));
        }
        $key = $this->flag();
        if ($key === '' && $subcommand !== 'show') {
            return $this->refuse("feature:plan $subcommand needs the flag: The flag's key");
        }
        $options = $this->typedOptions('dry-run', 'reason', 'stage', 'wait', 'expect-generation');

        return $this->relay($changer, ["plan $subcommand", ...$options, ...($key === '' ? [] : ['--', $key])]);
    }
}
