{{-- Slack's markup. What people wrote goes through $safe, so that it calls nobody and makes no link. --}}
*{!! $safe($change->environment) !!}*: {!! $safe($words->what()) !!} by {!! $safe($words->who()) !!}@if ($change->reason !== null): {!! $safe($change->reason) !!}@endif
