@extends('layout')
@section('title', 'Who has the portal')
@section('content')
    <table>
        @foreach ($answers as $answer)
            <tr><td>{{ $answer['company'] }}</td><td>{{ $answer['enabled'] ? 'on' : 'off' }}</td><td>{{ $answer['reason'] }}</td></tr>
        @endforeach
    </table>
@endsection
