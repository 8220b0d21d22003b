<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Changes\ChangeServices;
use Flagstone\Laravel\Config;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Import\Importer;
use Flagstone\Laravel\Integrations\About;
use Flagstone\Laravel\Notifications\Sender;
use Illuminate\Console\Application as Artisan;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Contracts\Foundation\Application;
use Throwable;

/**
 * Registers the commands with artisan, and their services with the container.
 *
 * @internal
 */
final class ArtisanCommands
{
    private const COMMANDS = [
        AllowCommand::class,
        AnnounceCommand::class,
        ConvertCommand::class,
        DeleteCommand::class,
        DenyCommand::class,
        DisableCommand::class,
        DoctorCommand::class,
        EnableCommand::class,
        ExplainCommand::class,
        FeatureCommand::class,
        ForgetCommand::class,
        HealthCommand::class,
        HistoryCommand::class,
        IncidentCommand::class,
        InstallCommand::class,
        KillCommand::class,
        ListCommand::class,
        MakeCommand::class,
        PlanCommand::class,
        PublishCommand::class,
        PullCommand::class,
        ResetCommand::class,
        ResumeAllCommand::class,
        ReviveCommand::class,
        RollbackCommand::class,
        RolloutCommand::class,
        RoutesCommand::class,
        SettingsCommand::class,
        ShowCommand::class,
        StatsCommand::class,
        StopAllCommand::class,
        TickCommand::class,
    ];

    public function register(Application $app): void
    {
        (new ChangeServices())->register($app);
        $config = Config::of($app);
        $app->singleton(Sender::class, static fn (Application $app): Sender => new Sender(
            $app->storagePath() . '/framework',
            time(...),
            static fn (Throwable $problem) => $app->make(ExceptionHandler::class)->report($problem),
        ));
        $app->bind(Importer::class, static fn (Application $app): Importer => new Importer(
            $config->file($app),
            $app->make(Binary::class),
        ));
        Artisan::starting(static function (Artisan $artisan): void {
            $artisan->resolveCommands(self::COMMANDS);
        });
        if (\class_exists('Illuminate\Foundation\Console\AboutCommand')) {
            ('Illuminate\Foundation\Console\AboutCommand')::add('Flagstone', static fn (): array => $app->make(About::class)->rows());
        }
    }
}
