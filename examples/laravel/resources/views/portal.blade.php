@extends('layout')
@section('title', 'Customer portal')
@section('content')
    <p>Invoices of {{ $company->name }}</p>
    <ul>
        @foreach ([1, 2, 3] as $invoice)
            <li><a href="/portal/invoices/{{ $invoice }}">Invoice {{ $invoice }}</a></li>
        @endforeach
    </ul>
@endsection
