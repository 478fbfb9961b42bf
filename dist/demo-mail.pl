#!/usr/bin/perl
# Shows the mails of a Maildir as text, those that arrive too: demo-mail.pl FOLDER [--once]
use strict;
use warnings;
use Encode qw(decode encode find_encoding);
use MIME::Base64 qw(decode_base64);
use MIME::QuotedPrint qw(decode_qp);

my ($dir, $once) = @ARGV;
defined $dir or die "usage: demo-mail.pl FOLDER [--once]\n";
binmode STDOUT, ':encoding(UTF-8)';
$| = 1;

# (header, body) of a message or a part; lines end in \n.
sub halves {
	my ($head, $body) = split /\n\n/, $_[0], 2;
	my (%header, $name);
	for my $line (split /\n/, $head // '') {
		if ($line =~ /^[ \t]+(.*)/ && defined $name) { $header{$name} .= " $1" }
		elsif ($line =~ /^([!-9;-~]+):[ \t]*(.*)/) { $name = lc $1; $header{$name} = $2 }
	}
	return \%header, $body // '';
}

# The text of a message: its first text/plain part, decoded.
sub text_of {
	my ($header, $body) = @_;
	my $type = $header->{'content-type'} // 'text/plain';
	if ($type =~ m{^multipart/}i && $type =~ /boundary="?([^";]+)"?/i) {
		for my $part (split /^--\Q$1\E(?:--)?[ \t]*\n/m, $body) {
			my ($h, $b) = halves($part);
			my $t = $h->{'content-type'} // '';
			return text_of($h, $b) if $t =~ m{^(text/plain|multipart/)}i;
		}
		return '';
	}
	my $encoding = lc($header->{'content-transfer-encoding'} // '8bit');
	$body = decode_base64($body) if $encoding eq 'base64';
	$body = decode_qp($body) if $encoding eq 'quoted-printable';
	my ($charset) = $type =~ /charset="?([^";\s]+)"?/i;
	return decode(find_encoding($charset // 'UTF-8') ? $charset // 'UTF-8' : 'UTF-8', $body);
}

sub show {
	my ($file) = @_;
	open my $in, '<', $file or return;
	local $/;
	my $mail = <$in>;
	close $in;
	$mail =~ s/\r\n/\n/g;
	my ($header, $body) = halves($mail);
	my $text = text_of($header, $body);
	# A mail is data: nothing in it may steer the terminal.
	my $bar = '-' x 70;
	my $out = "$bar\nA mail has arrived\n";
	for my $name (qw(From To Subject)) {
		$out .= sprintf "%-8s %s\n", "$name:", decode('MIME-Header', $header->{ lc $name } // '');
	}
	$out .= "\n$text\n$bar\n";
	$out =~ s/[^\P{Cntrl}\n\t]/?/g;
	print $out;
}

my %seen;
while (1) {
	for my $sub (qw(cur new)) {
		opendir my $d, "$dir/$sub" or next;
		my @names = sort grep { !/^\./ } readdir $d;
		closedir $d;
		for my $name (@names) {
			my $key = $name =~ s/:2,.*//r;
			show("$dir/$sub/$name") if !$seen{$key}++;
		}
	}
	last if $once;
	select undef, undef, undef, 0.5;
}
