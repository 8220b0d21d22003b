@extends('layout')
@section('title', "Invoice $invoice")
@section('content')
    <p>Of {{ $company->name }}</p>
@endsection
