/* What getaddrinfo(3) of the C library that this is linked with finds: one IPv4 address. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **words) {
  struct addrinfo hints, *found;
  memset(&hints, 0, sizeof hints);
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  int error = getaddrinfo(count > 1 ? words[1] : "", NULL, &hints, &found);
  if (error != 0) {
    puts(gai_strerror(error));
    return 1;
  }
  puts(inet_ntoa(((struct sockaddr_in *)found->ai_addr)->sin_addr));
  return 0;
}
