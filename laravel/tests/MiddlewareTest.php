<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Http\CheckFeatureFlag;
use Illuminate\Support\Facades\Route;

final class MiddlewareTest extends TestCase
{
    protected function flagstone(): array
    {
        return ['unknown' => 'log'];
    }

    protected function setUp(): void
    {
        parent::setUp();
        $this->publish([
            'portal' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15, 'acme']]],
            'everyone' => true,
            'nobody' => false,
        ]);
    }

    public function test_a_company_for_which_the_flag_is_on_gets_the_page_and_another_gets_404(): void
    {
        Route::get('/portal', fn () => 'portal')->middleware(['web', 'feature:portal']);

        $this->actingAs($this->user(15))->get('/portal')->assertOk()->assertSee('portal');
        $this->actingAs($this->user('acme'))->get('/portal')->assertOk();
        $this->actingAs($this->user(16))->get('/portal')->assertNotFound();
    }

    public function test_a_flag_that_is_off_or_unknown_is_404(): void
    {
        Route::get('/nobody', fn () => 'page')->middleware('feature:nobody');
        Route::get('/typo', fn () => 'page')->middleware('feature:evryone');

        $this->get('/nobody')->assertNotFound();
        $this->get('/typo')->assertNotFound();
    }

    public function test_a_comma_asks_for_all_and_a_bar_for_any(): void
    {
        Route::get('/all', fn () => 'page')->middleware('feature:everyone,portal');
        Route::get('/any', fn () => 'page')->middleware('feature:nobody|portal');
        Route::get('/using', fn () => 'page')->middleware(CheckFeatureFlag::using('everyone', 'portal'));
        Route::get('/using-any', fn () => 'page')->middleware(CheckFeatureFlag::usingAny('nobody', 'portal'));

        foreach (['/all', '/any', '/using', '/using-any'] as $path) {
            $this->actingAs($this->user(15))->get($path)->assertOk();
            $this->actingAs($this->user(16))->get($path)->assertNotFound();
        }
    }

    public function test_the_next_request_after_a_publish_sees_it(): void
    {
        Route::get('/portal', fn () => 'portal')->middleware('feature:portal');
        $this->actingAs($this->user(16))->get('/portal')->assertNotFound();

        $this->publish(['portal' => true]);
        $this->actingAs($this->user(16))->get('/portal')->assertOk();

        $this->flagstoneCommand('kill', 'portal', '--reason', 'test');
        $this->actingAs($this->user(16))->get('/portal')->assertNotFound();
        $this->flagstoneCommand('revive', 'portal');
    }
}
