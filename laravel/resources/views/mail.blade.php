{{-- $change is a Flagstone\Laravel\Events\FlagChanged, $words puts it into words. --}}
<!DOCTYPE html>
<html>
<body style="font-family: sans-serif; color: #222">
    <p style="font-size: 1.1em">
        <strong>{{ $change->environment }}</strong>: {{ $words->what() }}
    </p>
    @if ($change->reason !== null)
        <p>“{{ $change->reason }}”</p>
    @endif
    <p>By {{ $words->who() }} at {{ $change->at }}, generation {{ $change->generation }}.</p>
    @if ($words->differences() !== [])
        <ul>
            @foreach ($words->differences() as $difference)
                <li>{{ $difference }}</li>
            @endforeach
        </ul>
    @endif
</body>
</html>
