{!! $words->subject() !!}
@if ($change->reason !== null)

{!! $change->reason !!}
@endif

By {!! $words->who() !!} at {!! $change->at !!}, generation {!! $change->generation !!}.
@foreach ($words->differences() as $difference)
- {!! $difference !!}
@endforeach
