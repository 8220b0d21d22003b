<?php

declare(strict_types=1);

use App\Models\Company;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\Hash;
use Illuminate\Support\Facades\Schema;

Artisan::command('portal:seed', function (): void {
    Schema::dropIfExists('users');
    Schema::dropIfExists('companies');
    Schema::create('companies', function (Blueprint $table): void {
        $table->id();
        $table->string('name');
    });
    Schema::create('users', function (Blueprint $table): void {
        $table->id();
        $table->foreignId('company_id');
        $table->string('email')->unique();
        $table->string('password');
        $table->boolean('admin')->default(false);
        $table->rememberToken();
    });
    // The same password for everybody: this is an example.
    $password = Hash::make('secret');
    foreach ([7, 15, 16, 23, 42, 87, 103, 204] as $id) {
        $company = Company::query()->create(['id' => $id, 'name' => "Company $id"]);
        $company->users()->create(['email' => "user@company-$id.example", 'password' => $password]);
    }
    $staff = Company::query()->create(['id' => 1, 'name' => 'The operator']);
    $staff->users()->create(['email' => 'admin@operator.example', 'password' => $password, 'admin' => true]);
    $this->info('Nine companies with a user each; the password is "secret".');
})->purpose('Fill the database with companies and users');
